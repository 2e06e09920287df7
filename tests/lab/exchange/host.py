"""The stand-in for the host script: the same line protocol, over the model. Bytes in, bytes out."""

from __future__ import annotations

import json
import threading
import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from exchange_push_operator.core.errors import CmdletFailed
from lab.exchange.accounts import Accounts
from lab.exchange.counters import Counters
from lab.exchange.failures import deadline, not_logged_in, read_only, session_failed
from lab.exchange.organization import Organization
from lab.exchange.runner import Outcome, allow_list, allowed, invoke, needs_session
from lab.exchange.server import Server

Json: TypeAlias = dict[str, Any]
_CACHED = 8


@dataclass(slots=True)
class Host:
    """One process. ``exit_code`` is set when it has ended; it then answers nothing more."""

    organization: Organization
    server: Server
    accounts: Accounts
    counters: Counters
    version: str = ""
    boot: str = field(default_factory=lambda: uuid.uuid4().hex)
    exit_code: int | None = None
    delegated: bool = False
    client: str = ""  # the address of who started it
    read_only: bool = False
    username: str = ""
    _password: str = field(default="", repr=False)
    _fqdn: str = ""
    _session: bool = False
    _rest: bytes = b""
    _answers: OrderedDict[str, bytes] = field(default_factory=OrderedDict)

    def start(self) -> bytes:
        """The first line."""
        _spend(self.server.faults.process_start)
        ready = {
            "ready": self.boot,
            "ps": "5.1.17763.1",
            "pid": 4242,
            "bits": 64,
            "host": self.server.name,
            "version": self.version,
        }
        return _line(ready)

    def feed(self, data: bytes) -> bytes:
        """Standard input in pieces of any size; what goes to standard output."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        output = b""
        for line in lines:
            if line.rstrip(b"\r") and self.exit_code is None:
                output += self._handle(line)
        return output

    def end(self) -> None:
        """End of standard input."""
        if self.exit_code is None:
            self.exit_code = 0

    def _handle(self, line: bytes) -> bytes:
        request = _read(line)
        identifier = _text(request.get("id"))
        if not identifier:
            return _line({"id": None, "boot": self.boot, "fatal": "unreadable request"})
        self.counters.add(f"host.{request.get('op')}")
        if identifier in self._answers:
            return self._answers[identifier]
        answer = self._answer(request)
        if answer is None:
            self.exit_code = 1
            return b""
        text = _line({"id": identifier, "boot": self.boot, **answer})
        if request.get("op") == "run":
            self._keep(identifier, text)
        return text

    def _keep(self, identifier: str, text: bytes) -> None:
        self._answers[identifier] = text
        while len(self._answers) > _CACHED:
            self._answers.popitem(last=False)

    def _answer(self, request: Json) -> Json | None:
        """The answer's own fields; None where the process dies."""
        match request.get("op"):
            case "ping":
                return {"pong": True, "workingSet": 123456}
            case "login":
                return self.login(request)
            case "run" if request.get("calls"):
                return self._run(request)
            case _:
                return {"fatal": "unknown request"}

    def login(self, request: Json) -> Json:
        """Remember who opens the session, and where."""
        self._session = False
        self.read_only = self.read_only or bool(request.get("readOnly"))
        self._fqdn = str(request.get("fqdn") or "")
        self.username = str(request.get("username") or "")
        self._password = str(request.get("password") or "")
        return {"ok": True}

    def _run(self, request: Json) -> Json | None:
        given: Json | list[Json] = request["calls"]
        calls = given if isinstance(given, list) else [given]  # as @() does
        changes = any(changes_something(call) for call in calls)
        if changes and self.server.uses_up("die_before_change"):
            return None
        self._take_time([str(call.get("cmdlet")) for call in calls])
        with self.organization.lock:
            self.organization.begin(self.server)
            results = self._results(calls, stop=bool(request.get("stopOnError")))
        if changes and self.server.uses_up("die_after_change"):
            return None
        if changes and self.server.uses_up("die_after_answer"):
            self.exit_code = 1
            return {"stuck": False, "results": results}
        return {"stuck": self.exit_code is not None, "results": results}

    def once(self, name: str, parameters: Mapping[str, Any]) -> bytes:
        """A script in place of the host: one cmdlet in a session of its own; its rows as JSON."""
        _spend(self.server.faults.process_start)
        self._take_time([name])
        if needs_session(name):
            self.counters.add("sessions")
        outcome = invoke(self.organization, self.server, name, parameters, self.username)
        return json.dumps(list(outcome.rows)).encode()

    def _take_time(self, names: Sequence[str]) -> None:
        """Before the model is locked: a slow server keeps no other one waiting."""
        faults, known = self.server.faults, allow_list()
        if not self._session and any(needs_session(name) for name in names if name in known):
            _spend(faults.session_start)
        _spend(faults.cmdlet_time * len(names))

    def _results(self, calls: list[Json], *, stop: bool) -> list[Json]:
        results: list[Json] = []
        for call in calls:
            outcome = self._call(call)
            results.append(_result(outcome))
            if self.exit_code is not None or (stop and outcome.error):
                break
        return results

    def _call(self, call: Json) -> Outcome:
        name = str(call.get("cmdlet") or "")
        parameters = call.get("parameters") or {}
        try:
            self.check(call, name, parameters)
            if needs_session(name):
                self.open_session()
        except CmdletFailed as error:
            return Outcome(error=error)
        if self.server.faults.stuck_cmdlet == name:
            return self._stuck(call)
        return invoke(self.organization, self.server, name, parameters, self.username)

    def check(self, call: Json, name: str, parameters: Json) -> Json:
        """The allow-list, and what a read-only login leaves of it. Raises: CmdletFailed."""
        given = allowed(name, parameters)
        if self.read_only and changes_something(call):
            raise read_only(name)
        return given

    def _stuck(self, call: Json) -> Outcome:
        self.exit_code = 98
        return Outcome(error=deadline(int(call.get("timeout") or 60)))

    def open_session(self) -> None:
        """One session to the server's own Exchange endpoint. Raises: CmdletFailed."""
        if not self._fqdn:
            raise not_logged_in()
        faults = self.server.faults
        denied = faults.second_hop_refused or not self._may_go_on()
        if denied or faults.iis_down or not self.server.is_called(self._fqdn):
            self._session = False
            raise session_failed(self.server, denied=denied)
        if not self._session:
            self._session = True
            self.counters.add("sessions")

    def _may_go_on(self) -> bool:
        """The second hop: with the password of the login, else with what was delegated."""
        if self._password:
            return self.accounts.check(self.username, self._password)
        return self.delegated


def changes_something(call: Json) -> bool:
    rule = allow_list().get(str(call.get("cmdlet")), {})
    parameters = call.get("parameters") or {}
    return bool(rule.get("changes")) and not parameters.get("WhatIf")


def _read(line: bytes) -> Json:
    """A request; empty where it cannot be read. What cannot be read is never shown."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    """As PowerShell makes a text of a JSON value; only texts and numbers matter here."""
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def _line(answer: Mapping[str, Any]) -> bytes:
    # the leading newline ends whatever else was written to the console
    return b"\n" + json.dumps(answer, separators=(",", ":")).encode("ascii") + b"\n"


def _result(outcome: Outcome) -> Json:
    errors = []
    if outcome.error is not None:
        errors.append(
            {
                "message": str(outcome.error)[:2000],
                "id": outcome.error.identifier,
                "category": outcome.error.category,
                "reason": outcome.error.kind,
                "where": outcome.error.where,
            }
        )
    return {
        "ok": not errors,
        "ms": 1,
        "output": list(outcome.rows),
        "errors": errors,
        "warnings": list(outcome.warnings),
    }


def _spend(seconds: float) -> None:
    if seconds:
        threading.Event().wait(seconds)
