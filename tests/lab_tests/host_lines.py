"""Lines to the host script and what it answers: the same for the stand-in and in PowerShell.

``host_lines.json`` has stories; each is a fresh organisation, the lines that are sent, and what
comes back but for what differs from run to run. ``python -m lab_tests.host_lines`` writes the
answers anew, as the stand-in gives them: read the difference before it is committed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from exchange_push_operator.adapters.host_script import bootstrap
from lab.exchange.accounts import Accounts
from lab.exchange.build import default_organization
from lab.exchange.counters import Counters
from lab.exchange.faults import set_fault
from lab.exchange.host import Host
from lab.exchange.organization import Organization
from lab.exchange.process import Process
from lab.exchange.runner import administrator
from lab.exchange.shells import StartProcess
from lab.in_process import START
from lab.microsoft365.sample import sample

Json: TypeAlias = dict[str, Any]

FILE = Path(__file__).with_suffix(".json")
FQDN = "ex1.corp.fabrikam.com"
ACCOUNT, PASSWORD = "CORP\\svc-epo", 'Grün & Blau 密码 "$(x)"'
PATIENCE = 120.0  # seconds for one story, the start of PowerShell included
_THUMBPRINT = re.compile(r"\b[0-9A-F]{40}\b")
_GUID = re.compile(r"(?<=RequestId=)[0-9a-f-]{36}")
_OF_CMDLET = re.compile(r"(?:,[A-Z][A-Za-z]+-[A-Za-z]+)+$")  # PowerShell ends an id with the name


@dataclass(frozen=True, slots=True)
class Story:
    """An organisation, what was done to it before, and a conversation."""

    name: str
    lines: tuple[str | Json, ...]
    answers: tuple[Json, ...] = ()
    exit: int = 0
    culture: str = "en-US"
    faults: Mapping[str, Any] | None = None
    others: Mapping[str, Mapping[str, Any]] | None = None
    before: tuple[tuple[str, str, Json], ...] = ()


def stories() -> list[Story]:
    return [Story(**found) for found in json.loads(FILE.read_text("utf-8"))]


@dataclass(frozen=True, slots=True)
class Heard:
    """What a process said in the end: the ready line, the answers, and its exit code."""

    ready: Json
    answers: list[Json]
    exit: int


def tell(story: Story, start: StartProcess = Process) -> Heard:
    """Start a process, send everything, and read until it has ended."""
    organization = _organization(story)
    accounts = Accounts({ACCOUNT: PASSWORD})
    shipped = bootstrap()

    def host() -> Host:
        server = organization.server(FQDN)
        return Host(organization, server, accounts, Counters(), shipped.sha256)

    names = {organization.view().auth_config().current: "<auth>"}
    names |= {one.transport: f"<transport {one.name}>" for one in organization.servers.values()}
    process = start(shipped.command_line, shipped, host)
    try:
        process.send(shipped.first_line, end=False)
        process.send(_sent(story, names), end=True)
        stdout, code = _read(process)
    finally:
        process.kill()
        accounts.close()
    ready, *answers = [json.loads(line) for line in stdout.split(b"\n") if line.strip()]
    assert {answer["boot"] for answer in answers} <= {ready["ready"]}
    return Heard(ready, [_stable(answer, names) for answer in answers], code)


def _organization(story: Story) -> Organization:
    clock: Callable[[], Any] = lambda: START  # noqa: E731 - a clock that stands
    organization = default_organization(clock=clock, microsoft365=sample(clock=clock))
    auth = organization.view().auth_config().current
    for server, cmdlet, parameters in story.before:
        given = {key: auth if value == "<auth>" else value for key, value in parameters.items()}
        administrator(organization, server).run(cmdlet, **given)
    set_fault(organization, "culture", story.culture)
    for name, value in (story.faults or {}).items():
        set_fault(organization, name, value, FQDN)
    for server, faults in (story.others or {}).items():
        for name, value in faults.items():
            set_fault(organization, name, value, server)
    return organization


def _sent(story: Story, names: Mapping[str, str]) -> bytes:
    lines = [one if isinstance(one, str) else json.dumps(one) for one in story.lines]
    text = "\n".join(lines) + "\n"
    auth = next(thumbprint for thumbprint, name in names.items() if name == "<auth>")
    return text.replace("<auth>", auth).encode()


def _read(process: Process) -> tuple[bytes, int]:
    """Standard output, and the exit code."""
    stdout = b""
    while True:
        found = process.receive(PATIENCE)
        assert found is not None, f"nothing more came after {stdout[-2000:]!r}"
        streams, code = found
        stdout += streams.get("stdout", b"")
        if code is not None:
            return stdout, code


def _stable(answer: Json, names: dict[str, str]) -> Json:
    """Without what is another in every run: boot id, milliseconds, memory, keys, request ids."""
    answer = {key: value for key, value in answer.items() if key != "boot"}
    if "workingSet" in answer:
        assert answer["workingSet"] > 0
        answer["workingSet"] = "<bytes>"
    for result in answer.get("results") or ():
        assert result.pop("ms") >= 0
        for error in result["errors"]:
            error["id"] = _OF_CMDLET.sub("", error["id"])
    shown: Json = _each_text(answer, lambda text: _shown(text, names))
    return shown


def _shown(text: str, names: dict[str, str]) -> str:
    if text.startswith("MII"):
        return "<DER>"
    for thumbprint in _THUMBPRINT.findall(text):
        if len(set(thumbprint)) > 1:  # AAAA... is an invention of the story
            names.setdefault(thumbprint, f"<made {len(names)}>")
            text = text.replace(thumbprint, names[thumbprint])
    return _GUID.sub("<guid>", text)


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each_text(one, change) for one in value]
    if isinstance(value, dict):
        return {key: _each_text(one, change) for key, one in sorted(value.items())}
    return value


def _told_anew() -> Iterator[Json]:
    for found, story in zip(json.loads(FILE.read_text("utf-8")), stories(), strict=True):
        heard = tell(story)
        yield {**found, "answers": heard.answers, "exit": heard.exit}


if __name__ == "__main__":
    written = json.dumps(list(_told_anew()), ensure_ascii=False, indent=1)
    FILE.write_text(written + "\n", "utf-8")
