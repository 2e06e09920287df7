"""The operator under Argo CD, act by act; each goes on when its effect was seen."""

from __future__ import annotations

from typing import Any

from lab import wait
from lab.demo_screen import Screen
from lab.gitops.argocd import ArgoCD
from lab.gitops.argocd_application import APP, PATIENCE, UNDISTURBED, Application
from lab.gitops.argocd_watch import ApplicationWatch
from lab.gitops.situations import SUSPENDED
from lab.installation import Manifest
from lab.running import RunningLab


class ArgoActs:
    """One Application with self-heal and prune, from the first commit to the last."""

    def __init__(
        self, lab: RunningLab, argocd: ArgoCD, watch: ApplicationWatch, screen: Screen
    ) -> None:
        self._lab, self._argocd, self._watch = lab, argocd, watch
        self._screen = screen
        self._app = Application(lab, argocd, watch, screen)
        self._repository = self._app.repository

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
        self._app.sync(APP, self._lab.example(), create={})

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
        self._app.disable_proxy()
        states = self._app.stays("Suspended", entry.at)
        assert not self._app.proxy_enabled(), "the operator changed something while suspended"
        self._screen.good(f"Suspended for {UNDISTURBED:.0f} s more, Synced in all {states} states")
        resumed = self._watch.journal.mark()
        self._argocd.run_action(APP, "resume")
        self._app.healthy(resumed, "resumed")
        assert SUSPENDED not in self._lab.resource()["metadata"]["annotations"]
        wait.until(self._app.proxy_enabled, PATIENCE, "the drift to be corrected")
        self._screen.good("what had drifted meanwhile is corrected")

    def _observe(self) -> None:
        self._screen.step("Observe by a commit, and drift")
        self._app.sync(APP, self._lab.example(managementPolicy="Observe"))
        began = self._watch.journal.mark()
        self._app.disable_proxy()
        self._lab.wait_condition("InSync", "False", "DriftDetected")
        self._app.shown("Healthy", "DriftDetected: planned, not performed")
        self._watch.only_synced(APP, began)
        self._app.sync(APP, self._lab.example())
        assert self._app.proxy_enabled(), "Ready, and the proxy is disabled"
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
        self._app.sync(APP, self._lab.example(exchange={"servers": servers}))
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
        self._app.prune(APP)
        assert self._app.proxy_enabled(), "Retain, and the proxy is disabled"
        self._screen.good("gone, and Exchange as it was")

    def _variant(self, name: str, changes: Manifest) -> None:
        self._screen.step(f"{name}: declared, drift, reconciled by action, pruned with Disable")
        app = name.lower().replace(" ", "-").replace(",", "")
        synced = self._app.sync(app, self._lab.example(deletionPolicy="Disable"), create=changes)
        self._app.disable_proxy()
        wait.until(self._app.proxy_enabled, PATIENCE, "the drift to be corrected")
        before = self._lab.status().get("lastHandledReconcileAt")
        self._argocd.run_action(app, "reconcile")
        wait.until(lambda: self._handled(before), PATIENCE, "lastHandledReconcileAt to move")
        states = self._app.stays("Healthy", synced, app=app)
        self._screen.good(f"Synced in all {states} states, among them {UNDISTURBED:.0f} s at rest")
        self._app.prune(app)
        assert not self._app.proxy_enabled(), "Disable, and the proxy is still enabled"
        self._screen.good("gone, and the proxy disabled")

    # what is waited for

    def _degraded(self, reason: str, began: float) -> None:
        entry = self._watch.wait(APP, "Degraded", since=began)
        ready = self._lab.condition("Ready")
        assert ready["reason"] == reason, f"Degraded by {ready}"
        self._app.shown("Degraded", ready["message"])
        self._screen.good(f"Degraded after {entry.at - began:.1f} s: {ready['message']}")

    def _cured(self, began: float) -> None:
        cured = self._watch.journal.mark()
        self._argocd.run_action(APP, "reconcile")
        self._app.healthy(cured, "cured")
        self._watch.only_synced(APP, began)
        self._watch.healthy_only_when_ready(APP, cured)

    def _healed(self, generation: int) -> bool:
        now = self._lab.resource()["metadata"]["generation"]
        assert now == generation + 2, f"edited and set back makes {generation + 2}, not {now}"
        assert self._lab.condition("Ready").get("status") == "True", "the operator has not followed"
        return self._servers() == 2

    def _handled(self, before: str | None) -> bool:
        return bool(self._lab.status().get("lastHandledReconcileAt") != before)

    def _servers(self) -> int:
        return len(self._lab.status()["servers"])


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
