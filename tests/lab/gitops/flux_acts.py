"""The operator under Flux, act by act; each goes on when its effect was seen."""

from __future__ import annotations

import re
from typing import Any

from lab import wait
from lab.demo_screen import Screen
from lab.gitops.argocd_watch import follow_resources, is_ready
from lab.gitops.flux import NAMESPACE, Flux
from lab.gitops.journal import Entry, Journal
from lab.gitops.situations import SUSPENDED
from lab.installation import Manifest
from lab.resource_client import KIND
from lab.running import RunningLab

NAME = "fabrikam"
KUSTOMIZATIONS = "kustomizations.kustomize.toolkit.fluxcd.io"
PATIENCE = 90.0
LONG, SHORT = 60.0, 30.0  # seconds: timeouts of a Kustomization; Flux takes none below 30
AT_ONCE = 12.0  # it looks every 5 s
# Flux takes away what was set under a name that begins with kubectl.
_MANAGER = "--field-manager=administrator"
_READY = '.status.conditions[?(@.type=="Ready")]'
_FIELDS = {
    "generation": ".metadata.generation",
    "observed": ".status.observedGeneration",
    "attempted": ".status.lastAttemptedRevision",
    "ready": f"{_READY}.status",
    "reason": f"{_READY}.reason",
    "message": f"{_READY}.message",
}


class FluxActs:
    """One Kustomization after the other, on the same folder."""

    def __init__(self, lab: RunningLab, flux: Flux, journal: Journal, screen: Screen) -> None:
        self._lab, self._flux, self._journal = lab, flux, journal
        self._screen = screen
        self._minutes = 60
        journal.follow(KUSTOMIZATIONS, NAMESPACE, _FIELDS)
        follow_resources(journal, lab.namespace)

    def all(self) -> None:
        """Raises AssertionError."""
        self._screen.step("wait: true, and a commit with the resource")
        self._lab.control.fault("latency", value=0.3)  # so that becoming Ready takes a while
        self._ready_with("kustomization.yaml", self._lab.example())
        self._lab.control.fault("latency", value=0.0)
        self._fewer_servers()
        self._stalled()
        self._hand_edit()
        self._suspended()
        self._timed_out("kustomization.yaml", "wait: true")
        self._timed_out("health-checks.yaml", "healthChecks")
        self._early()
        self._pruned()

    # the acts

    def _fewer_servers(self) -> None:
        self._screen.step("A commit takes a server out")
        servers = [{"name": "ex1.corp.fabrikam.com"}]
        self._ready_with("", self._lab.example(exchange={"servers": servers}))
        seen = [row["name"] for row in self._lab.status()["servers"]]
        assert seen == ["ex1.corp.fabrikam.com"], f"the operator looks at {seen}"

    def _stalled(self) -> None:
        self._screen.step("A commit names a Secret that does not exist: Stalled")
        connection = {"credentialsSecretRef": {"name": "missing"}}
        failed = self._fails(self._lab.example(exchange={"connection": connection}), within=AT_ONCE)
        stalled = self._lab.condition("Stalled")
        assert stalled["reason"] == "SecretNotFound", stalled
        self._screen.note(failed.fields["message"])
        self._ready_with("", self._lab.example())

    def _hand_edit(self) -> None:
        self._screen.step("Somebody edits the resource by hand")
        self._use("kustomization.yaml", LONG, interval="5s")
        began = self._journal.mark()
        self._lab.patch({"proxy": {"state": "Disabled"}})
        wait.until(self._healed, PATIENCE, "Flux to set it back and the operator to follow")
        self._screen.good(f"set back and enabled after {self._journal.mark() - began:.1f} s")

    def _suspended(self) -> None:
        self._screen.step("Suspended by annotation, while Flux applies every 5 s")
        self._use("fail-early.yaml", LONG, interval="5s")
        self._lab.kubectl("annotate", "epc", NAME, f"{SUSPENDED}=true", _MANAGER)
        self._lab.wait_condition("Ready", "Unknown", "Suspended")
        began = self._journal.mark()
        wait.until(lambda: self._applied_since(began) >= 3, PATIENCE, "three rounds of Flux")
        annotations = self._lab.resource()["metadata"]["annotations"]
        assert annotations.get(SUSPENDED) == "true", "Flux took the annotation away"
        self._screen.good("it stays, and the Kustomization of fail-early.yaml stays Ready")
        self._lab.kubectl("annotate", "epc", NAME, f"{SUSPENDED}-", _MANAGER)
        self._lab.wait_ready()

    def _timed_out(self, example: str, what: str) -> None:
        self._screen.step(
            f"{what}: Ready=False without Stalled, until the timeout of {SHORT:.0f} s"
        )
        self._without_principal(example, timeout=SHORT, within=SHORT + AT_ONCE)

    def _early(self) -> None:
        self._screen.step(f"healthCheckExprs: the same at once, and not after {LONG:.0f} s")
        self._without_principal("fail-early.yaml", timeout=LONG, within=AT_ONCE)

    def _pruned(self) -> None:
        self._screen.step("A commit takes the resource out; deletionPolicy Retain")
        began = self._journal.mark()
        self._flux.publish()
        wait.until(lambda: not self._lab.resource(), PATIENCE, "the resource to be pruned")
        assert self._proxy_enabled(), "Retain, and the proxy is disabled"
        seconds = self._journal.mark() - began
        self._screen.good(f"pruned after {seconds:.1f} s, and Exchange as it was")

    # what is waited for

    def _use(self, example: str, timeout: float, *, interval: str = "1h") -> None:
        """Have an example in force, and nothing of the one before it under way."""
        self._flux.apply(self._flux.example(example, **_pace(timeout, interval=interval)))
        wait.until(self._settled, PATIENCE, f"{example} to be Ready")

    def _settled(self) -> bool:
        latest = self._journal.latest(KUSTOMIZATIONS, NAME)
        told = self._flux.generation(NAME)
        return latest is not None and latest.shows(ready="True", generation=told, observed=told)

    def _ready_with(self, example: str, manifest: Manifest) -> None:
        """Publish, and see Kustomization and resource become Ready, in the right order."""
        began = self._journal.mark()
        revision = self._flux.publish(manifest)
        if example:
            self._flux.apply(self._flux.example(example, **_pace(LONG)))
        entry = self._journal.wait_for(
            "the Kustomization to be Ready",
            KUSTOMIZATIONS,
            NAME,
            lambda entry: entry.shows(ready="True", attempted=revision),
            since=began,
            timeout=PATIENCE,
        )
        ready = self._resource_ready(began, entry.at)
        self._screen.good(
            f"the resource Ready after {ready.at - began:.1f} s, the Kustomization "
            f"{entry.at - ready.at:.1f} s later"
        )

    def _resource_ready(self, began: float, before: float) -> Entry:
        states = self._journal.since(began, KIND, NAME)
        newest = max(int(state.fields["generation"]) for state in states)
        ready = [s for s in states if is_ready(s) and int(s.fields["generation"]) == newest]
        assert ready, "the Kustomization is Ready, and the resource never was"
        assert ready[0].at <= before, "the Kustomization was Ready before the resource"
        return ready[0]

    def _fails(self, manifest: Manifest, *, within: float) -> Entry:
        """Publish; the health check must fail after a wait of less than ``within``."""
        began = self._journal.mark()
        revision = self._flux.publish(manifest)
        said = self._journal.wait_for(
            "the resource not to be Ready",
            KIND,
            NAME,
            lambda entry: entry.shows(ready="False", observed=entry.fields["generation"]),
            since=began,
        )
        failed = self._journal.wait_for(
            "the health check to fail",
            KUSTOMIZATIONS,
            NAME,
            lambda entry: entry.shows(reason="HealthCheckFailed", attempted=revision),
            since=began,
            timeout=PATIENCE,
        )
        seconds = _waited(failed.fields["message"])
        assert seconds < within, failed.fields["message"]
        reason = said.fields["reason"]
        self._screen.good(f"Ready=False/{reason}: failed after a wait of {seconds:.1f} s")
        return failed

    def _without_principal(self, example: str, *, timeout: float, within: float) -> None:
        """A new generation that becomes Ready=False, and is tried again."""
        self._minutes += 1
        self._use(example, timeout)
        self._lab.control.fault("not_provisioned", value=True, target="microsoft365")
        failed = self._fails(self._lab.example(interval=f"{self._minutes}m"), within=within)
        whole = _waited(failed.fields["message"]) >= timeout
        assert whole == (within > timeout), failed.fields["message"]
        self._screen.note(failed.fields["message"])
        self._lab.control.fault("not_provisioned", value=False, target="microsoft365")
        self._lab.reconcile_now()
        self._lab.wait_ready()

    def _applied_since(self, mark: float) -> int:
        entries = self._journal.since(mark, KUSTOMIZATIONS, NAME)
        wrong = [dict(entry.fields) for entry in entries if entry.shows(ready="False")]
        assert not wrong, f"the Kustomization was not Ready: {wrong}"
        return sum(entry.shows(ready="True") for entry in entries)

    def _healed(self) -> bool:
        spec = self._lab.resource()["spec"]
        ready = self._lab.condition("Ready").get("status") == "True"
        return ready and spec["proxy"]["state"] == "Enabled" and self._proxy_enabled()

    def _proxy_enabled(self) -> bool:
        return bool(self._lab.control.state()["exchange"]["proxy"]["enabled"])


def _waited(message: str) -> float:
    """The seconds in Flux's own words: `health check failed after 15.1s`, `1m3s`, `80ms`."""
    found = re.search(r"health check failed after (?:(\d+)m)?(?:([\d.]+)(ms|s))?:", message)
    assert found, message
    number = float(found[2] or 0) / (1000 if found[3] == "ms" else 1)
    return 60 * int(found[1] or 0) + number


def _pace(timeout: float, *, interval: str = "1h") -> dict[str, Any]:
    return {"timeout": f"{timeout:.0f}s", "interval": interval, "retryInterval": "2s"}
