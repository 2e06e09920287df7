"""The operator under Argo CD, act by act; each goes on when its effect was seen."""

from __future__ import annotations

from typing import Any

from lab import wait
from lab.demo_screen import Screen
from lab.gitops.argocd import ArgoCD
from lab.gitops.argocd_watch import ApplicationWatch
from lab.gitops.repository import Repository
from lab.gitops.situations import SUSPENDED
from lab.installation import Manifest
from lab.running import RunningLab

APP = "fabrikam"
PATIENCE = 60.0
UNDISTURBED = 20.0  # seconds that hold four rounds of Argo CD


class ArgoActs:
    """One Application with self-heal and prune, from the first commit to the last."""

    def __init__(
        self, lab: RunningLab, argocd: ArgoCD, watch: ApplicationWatch, screen: Screen
    ) -> None:
        self._lab, self._argocd, self._watch = lab, argocd, watch
        self._screen = screen
        self._repository = Repository(lab.folder / "repository")

    def all(self) -> None:
        """Raises AssertionError."""
        self._declare()
        self._unreachable()
        self._stalled()
        self._suspend()
        self._observe()
        self._hand_edit()
        self._fewer_servers()
        self._wave()
        self._prune_and_retain()
        for name, changes in VARIANTS.items():
            self._variant(name, changes)

    # the acts

    def _declare(self) -> None:
        self._screen.step("A commit with the resource, and an Application on it")
        self._sync(APP, self._lab.example(), create={})

    def _unreachable(self) -> None:
        self._screen.step("No Exchange server answers")
        began = self._watch.journal.mark()
        self._lab.control.fault("down", value=True)
        self._degraded("Unreachable", began)
        self._lab.control.fault("down", value=False)
        self._cured(began)

    def _stalled(self) -> None:
        self._screen.step("The Secret of the Exchange account is gone")
        began = self._watch.journal.mark()
        self._lab.kubectl("delete", "secret", "fabrikam-exchange")
        self._degraded("SecretNotFound", began)
        self._lab.write_secrets()
        self._cured(began)

    def _suspend(self) -> None:
        self._screen.step("Suspended by the action, with self-heal on")
        began = self._watch.journal.mark()
        self._argocd.run_action(APP, "suspend")
        entry = self._watch.wait(APP, "Suspended", since=began)
        self._screen.good(f"Suspended after {entry.at - began:.1f} s")
        self._lab.wait_condition("Ready", "Unknown", "Suspended")
        self._disable_proxy()
        states = self._stays("Suspended", entry.at)
        assert not self._proxy_enabled(), "the operator changed something while suspended"
        self._screen.good(f"Suspended for {UNDISTURBED:.0f} s more, Synced in all {states} states")
        resumed = self._watch.journal.mark()
        self._argocd.run_action(APP, "resume")
        self._healthy(resumed, "resumed")
        assert SUSPENDED not in self._lab.resource()["metadata"]["annotations"]
        wait.until(self._proxy_enabled, PATIENCE, "the drift to be corrected")
        self._screen.good("what had drifted meanwhile is corrected")

    def _observe(self) -> None:
        self._screen.step("Observe by a commit, and drift")
        self._sync(APP, self._lab.example(managementPolicy="Observe"))
        began = self._watch.journal.mark()
        self._disable_proxy()
        self._lab.wait_condition("InSync", "False", "DriftDetected")
        self._shown("Healthy", "DriftDetected: planned, not performed")
        self._watch.only_synced(APP, began)
        self._sync(APP, self._lab.example())
        assert self._proxy_enabled(), "Ready, and the proxy is disabled"
        self._screen.good("managed again: corrected")

    def _hand_edit(self) -> None:
        self._screen.step("Somebody edits the resource by hand")
        generation = self._lab.resource()["metadata"]["generation"]
        began = self._watch.journal.mark()
        self._lab.patch({"exchange": {"servers": [{"name": "ex1.corp.fabrikam.com"}]}})
        wait.until(
            lambda: self._healed(generation), PATIENCE, "self-heal, and the operator after it"
        )
        seconds = self._watch.journal.mark() - began
        self._watch.wait(APP, "Healthy", since=began)
        self._screen.good(
            f"healed, and the operator looks at both servers again after {seconds:.1f} s"
        )

    def _fewer_servers(self) -> None:
        self._screen.step("A commit takes a server out")
        servers = [{"name": "ex1.corp.fabrikam.com"}]
        self._sync(APP, self._lab.example(exchange={"servers": servers}))
        assert self._servers() == 1, "the operator looks at another number of servers"
        self._screen.good("the operator looks at one server")

    def _wave(self) -> None:
        self._screen.step("An object in the wave after the resource")
        self._argocd.delete(APP)
        self._lab.kubectl("delete", "epc", "fabrikam")
        began = self._watch.journal.mark()
        after = self._argocd.after_the_resource()
        revision = self._repository.commit(APP, self._lab.example(), after)
        self._argocd.apply(self._argocd.application(APP, self._repository.url, APP))
        self._watch.wait(APP, "Healthy", since=began, revision=revision)
        created = self._lab.kubectl("get", "configmap", "push-notifications", "-o", CREATED)
        ready = self._lab.condition("Ready")["lastTransitionTime"]
        assert ready <= created, f"applied at {created}, but Ready only at {ready}"
        self._screen.good(f"Ready at {ready}, the next wave applied at {created}")

    def _prune_and_retain(self) -> None:
        self._screen.step("A commit takes the resource out; deletionPolicy Retain")
        self._prune(APP)
        assert self._proxy_enabled(), "Retain, and the proxy is disabled"
        self._screen.good("gone, and Exchange as it was")

    def _variant(self, name: str, changes: Manifest) -> None:
        self._screen.step(f"{name}: declared, drift, reconciled by action, pruned with Disable")
        app = name.lower().replace(" ", "-").replace(",", "")
        synced = self._sync(app, self._lab.example(deletionPolicy="Disable"), create=changes)
        self._disable_proxy()
        wait.until(self._proxy_enabled, PATIENCE, "the drift to be corrected")
        before = self._lab.status().get("lastHandledReconcileAt")
        self._argocd.run_action(app, "reconcile")
        wait.until(lambda: self._handled(before), PATIENCE, "lastHandledReconcileAt to move")
        states = self._stays("Healthy", synced, app=app)
        self._screen.good(f"Synced in all {states} states, among them {UNDISTURBED:.0f} s at rest")
        self._prune(app)
        assert not self._proxy_enabled(), "Disable, and the proxy is still enabled"
        self._screen.good("gone, and the proxy disabled")

    # what is waited for

    def _sync(self, app: str, *manifests: Manifest, create: Manifest | None = None) -> float:
        """Commit, wait until Healthy, and compare the way there; the time it was Synced."""
        began = self._watch.journal.mark()
        revision = self._repository.commit(app, *manifests)
        if create is not None:
            self._argocd.apply(self._argocd.application(app, self._repository.url, app, **create))
        else:
            self._argocd.refresh(app)
        synced = self._watch.wait_synced(app, revision)
        working = self._watch.wait(app, "Progressing", since=began, revision=revision)
        healthy = self._watch.wait(app, "Healthy", since=working.at, revision=revision)
        states = self._watch.only_synced(app, synced.at)
        self._watch.healthy_only_when_ready(app, began)
        self._screen.good(
            f"Synced after {synced.at - began:.1f} s, Progressing, Healthy after "
            f"{healthy.at - began:.1f} s; Synced in all {states} states since"
        )
        return synced.at

    def _prune(self, app: str) -> None:
        # Argo CD does not prune the last object, unless told to by allowEmpty.
        self._repository.commit(app, self._argocd.after_the_resource())
        began = self._watch.journal.mark()
        self._argocd.refresh(app)
        wait.until(lambda: not self._lab.resource(), PATIENCE, "the resource to be pruned")
        self._screen.good(f"pruned after {self._watch.journal.mark() - began:.1f} s")
        self._argocd.delete(app)

    def _degraded(self, reason: str, began: float) -> None:
        entry = self._watch.wait(APP, "Degraded", since=began)
        ready = self._lab.condition("Ready")
        assert ready["reason"] == reason, f"Degraded by {ready}"
        self._shown("Degraded", ready["message"])
        self._screen.good(f"Degraded after {entry.at - began:.1f} s: {ready['message']}")

    def _cured(self, began: float) -> None:
        cured = self._watch.journal.mark()
        self._argocd.run_action(APP, "reconcile")
        self._healthy(cured, "cured")
        self._watch.only_synced(APP, began)
        self._watch.healthy_only_when_ready(APP, cured)

    def _healthy(self, since: float, what: str) -> None:
        entry = self._watch.wait(APP, "Healthy", since=since)
        self._screen.good(f"{what}: Healthy after {entry.at - since:.1f} s")

    def _shown(self, health: str, message: str) -> None:
        def fits() -> bool:
            seen = self._argocd.resource_health(APP)
            assert seen.get("status") == health, seen
            assert message in seen.get("message", ""), seen
            return True

        wait.until(fits, PATIENCE, f"Argo CD to show {health}: {message}", interval=0.3)

    def _stays(self, health: str, since: float, *, app: str = APP) -> int:
        """The number of states since then: after a while still this health, always Synced."""
        end = self._watch.journal.mark() + UNDISTURBED
        wait.until(lambda: self._watch.journal.mark() > end, UNDISTURBED + 5, "some time to pass")
        self._watch.wait(app, health, since=since)
        latest = self._watch.latest(app)
        assert latest.shows(health=health), f"not {health} any more: {dict(latest.fields)}"
        return self._watch.only_synced(app, since)

    def _healed(self, generation: int) -> bool:
        now = self._lab.resource()["metadata"]["generation"]
        assert now == generation + 2, f"edited and set back makes {generation + 2}, not {now}"
        assert self._lab.condition("Ready").get("status") == "True", "the operator has not followed"
        return self._servers() == 2

    def _handled(self, before: str | None) -> bool:
        return bool(self._lab.status().get("lastHandledReconcileAt") != before)

    def _servers(self) -> int:
        return len(self._lab.status()["servers"])

    def _disable_proxy(self) -> None:
        self._lab.control.cmdlet("Disable-PushNotificationProxy", Confirm=False)

    def _proxy_enabled(self) -> bool:
        return bool(self._lab.control.state()["exchange"]["proxy"]["enabled"])


CREATED = "jsonpath={.metadata.creationTimestamp}"

_COMPARE = {
    "metadata": {"annotations": {"argocd.argoproj.io/compare-options": "ServerSideDiff=true"}}
}
_APPLY: dict[str, Any] = {"spec": {"syncPolicy": {"syncOptions": ["ServerSideApply=true"]}}}
VARIANTS: dict[str, Manifest] = {
    "Client-side diff": {},
    "Server-side diff": _COMPARE,
    "Server-side apply": _APPLY,
    "Server-side apply, server-side diff": {**_COMPARE, **_APPLY},
}
