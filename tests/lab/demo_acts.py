"""The steps of the demo. Each does something, and goes on when its effect was seen."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import time
from collections.abc import Callable
from typing import Any, TypeVar

from lab import wait
from lab.demo_screen import Screen, organization
from lab.demo_watch import Watch
from lab.microsoft365.clouds import EXCHANGE_ONLINE
from lab.microsoft365.sample import FABRIKAM
from lab.resources import EXAMPLE, ROOT
from lab.running import RunningLab

T = TypeVar("T")
_TIMEOUT = 60.0
_POWERSHELL = "[PS]"
_ALIAS = (
    "https://accounts.accesscontrol.windows.net/metadata/json/1/?realm=fabrikam.onmicrosoft.com"
)
_EVENT = re.compile(r"\S+(?: \((x\d+) over \S+\))?\s+(.*)")
_COMMANDS = '{range .status.plannedChanges[*]}{.stage}: {.command}{"\\n"}{end}'


class StepFailedError(AssertionError):
    """What was expected, what was seen, and the end of the operator's log."""


class Acts:
    """One performance over a running lab."""

    def __init__(self, lab: RunningLab, screen: Screen) -> None:
        self._lab, self._screen = lab, screen
        self._good: list[str] = []  # the organisation as it was declared
        self._told: set[tuple[str, str]] = set()  # events that were shown already

    def all(self) -> None:
        """Raises StepFailedError."""
        self._declare()
        self._drift(
            "Somebody disables the proxy",
            lambda: self._cmdlet("Disable-PushNotificationProxy", Confirm=False),
        )
        self._drift(
            "Somebody changes the auth server's URL, to another name of the tenant",
            lambda: self._cmdlet(
                "Set-AuthServer", Identity="MicrosoftSts", AuthMetadataUrl=_ALIAS, Confirm=False
            ),
        )
        self._drift("Somebody removes the key from the principal in Entra ID", self._remove_key)
        self._observe()
        self._delete()

    # the acts

    def _declare(self) -> None:
        before = self._organization()
        self._screen.step("The organisation as Exchange Setup left it")
        self._screen.output("\n".join(before))
        self._screen.step("Somebody declares what it should be")
        watch = self._start_watch()
        with contextlib.closing(watch):
            self._apply_example()
            started = time.monotonic()
            self._screen.command("kubectl get exchangepushconfigs --watch")
            self._show_until_ready(watch)
        self._screen.good(f"Ready after {time.monotonic() - started:.1f} s")
        self._screen.step("The organisation before (-) and now (+)")
        self._good = self._organization()
        self._screen.difference(before, self._good)
        self._expect("something configured", lambda: before != self._good)
        self._screen.step("What the operator did")
        self._show_new_events("Succeeded")

    def _drift(self, title: str, act: Callable[[], None]) -> None:
        self._screen.step(title)
        act()
        started = time.monotonic()
        broken = self._organization()
        self._screen.difference(self._good, broken, short=True)
        # It may have been corrected before we could look: the event below proves that it happened.
        self._expect("the operator to correct it", self._is_good)
        seconds = time.monotonic() - started
        self._screen.good(f"corrected after {seconds:.1f} s")
        self._show_new_events("DriftCorrected")
        self._lab.wait_ready()

    def _observe(self) -> None:
        self._screen.step("Observe mode: it looks and reports, and changes nothing")
        self._kubectl(
            "patch", "epc", "fabrikam", "--type=merge", "-p", _patch(managementPolicy="Observe")
        )
        self._wait("InSync", "True")
        self._cmdlet("Disable-PushNotificationProxy", Confirm=False)
        self._wait("InSync", "False", "DriftDetected")
        self._kubectl("get", "epc", "fabrikam", "-o", "wide")
        planned = self._kubectl("get", "epc", "fabrikam", "-o", f"jsonpath={_COMMANDS}")
        self._require("a planned Enable-PushNotificationProxy", planned, "Enable-PushNotificationP")
        disabled = self._organization()
        self._require(
            "the proxy to be left alone", "\n".join(disabled), "push proxy        disabled"
        )
        self._screen.good("planned, shown, and not performed: the proxy is still disabled")

    def _delete(self) -> None:
        self._screen.step("The resource is deleted; Exchange and Entra ID stay as they are")
        before = self._organization()
        self._kubectl("delete", "exchangepushconfig", "fabrikam")
        gone = self._kubectl("get", "exchangepushconfigs")
        self._require("no resource to be left", gone, "No resources found")
        self._require("no change to the organisation", self._organization(), before)
        code = self._lab.stop_operator()
        self._require("the operator to stop cleanly", f"exit code {code}", "exit code 0")
        counters = self._lab.control.counters()["exchange"].values()
        shells = sum(one["openShells"] for one in counters)
        self._require("no shell left open on a server", f"{shells} open shells", "0 open shells")
        self._screen.good("deleted; the operator stopped; no shell was left open on a server")

    # what people do

    def _cmdlet(self, name: str, **parameters: Any) -> None:
        self._screen.command(" ".join([name, *map(_argument, parameters.items())]), _POWERSHELL)
        self._lab.control.cmdlet(name, **parameters)

    def _remove_key(self) -> None:
        shown = self._lab.status()["principalCredential"]["keyId"]
        self._screen.command(f"the entry {shown} is taken out of keyCredentials", "Graph")
        self._lab.control.post("/keys/remove", keyId=shown)

    def _apply_example(self) -> None:
        path = str(EXAMPLE.relative_to(ROOT))
        if self._lab.namespace == "exchange":
            self._screen.command(f"kubectl apply -f {path}")
            self._screen.output(self._lab.kubectl("apply", "-f", str(EXAMPLE)))
            return
        self._screen.command(f"kubectl apply -f -    # {path}, in the namespace of the demo")
        text = json.dumps(self._lab.example())
        self._screen.output(self._lab.kubectl("apply", "-f", "-", stdin=text))

    def _kubectl(self, *arguments: str) -> str:
        self._screen.command(shlex.join(["kubectl", *arguments]))
        text = self._lab.kubectl(*arguments, check=False)
        self._screen.output(text)
        return text

    # what is seen

    def _organization(self) -> list[str]:
        return organization(self._lab.control.state(), FABRIKAM, EXCHANGE_ONLINE)

    def _is_good(self) -> bool:
        seen = self._organization()
        assert seen == self._good, "the organisation:\n" + "\n".join(seen)
        return True

    def _start_watch(self) -> Watch:
        command = self._lab.cluster.kubectl_command(self._lab.namespace)
        return Watch(self._lab, [*command, "get", "exchangepushconfigs", "--watch"])

    def _show_until_ready(self, watch: Watch) -> None:
        deadline = time.monotonic() + _TIMEOUT
        while time.monotonic() < deadline:
            line = watch.line(deadline - time.monotonic())
            self._screen.output(line)
            if line.split()[1:2] == ["True"]:
                return
        self._fail("a line with READY True", self._lab.kubectl("get", "epc", "-o", "wide"))

    def _show_new_events(self, expected: str) -> None:
        """Events that were not shown yet; they come a moment after the change."""
        self._screen.command("kubectl events --for epc/fabrikam")
        new = self._expect(f"an event {expected}", lambda: self._new_events(expected))
        self._screen.output("\n".join(new))

    def _new_events(self, expected: str) -> list[str]:
        lines = self._lab.kubectl("events", "--for", "epc/fabrikam").splitlines()
        new = [line for line in lines[1:] if _event(line) not in self._told]
        if not any(f" {expected} " in line for line in new):
            return []
        self._told |= {_event(line) for line in new}
        return [lines[0], *new]

    def _wait(self, type_: str, status: str, reason: str | None = None) -> None:
        wanted = f"{type_}={status}" + (f"/{reason}" if reason else "")
        self._expect(wanted, lambda: self._lab.wait_condition(type_, status, reason))

    def _expect(self, what: str, predicate: Callable[[], T]) -> T:
        try:
            return wait.until(predicate, _TIMEOUT, what, interval=0.1)
        except AssertionError as error:
            self._fail(
                what, f"{error}\n{self._lab.kubectl('get', 'epc', '-o', 'wide', check=False)}"
            )
            raise  # unreachable, for mypy

    def _require(self, what: str, seen: str | list[str], wanted: str | list[str]) -> None:
        if isinstance(wanted, str) and wanted in seen:
            return
        if seen != wanted:
            self._fail(what, str(seen))

    def _fail(self, expected: str, seen: str) -> None:
        log = "\n  ".join(self._lab.operator_log.splitlines()[-20:])
        message = (
            f"step {self._screen.steps}\nexpected: {expected}\nseen: {seen}\n"
            f"the operator's log ends:\n  {log}"
        )
        raise StepFailedError(message)


def _argument(item: tuple[str, Any]) -> str:
    name, value = item
    return f"-{name}:${str(value).lower()}" if isinstance(value, bool) else f"-{name} '{value}'"


def _event(line: str) -> tuple[str, str]:
    """An event without its age; the count tells a repetition."""
    match = _EVENT.match(line)
    return (match[1] or "", match[2]) if match else ("", line)


def _patch(**spec: str) -> str:
    return json.dumps({"spec": spec})
