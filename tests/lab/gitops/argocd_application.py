"""An Application, and its way from a commit to what Argo CD shows."""

from __future__ import annotations

from lab import wait
from lab.demo_screen import Screen
from lab.gitops.argocd import ArgoCD
from lab.gitops.argocd_watch import ApplicationWatch
from lab.gitops.journal import Entry
from lab.gitops.repository import Repository
from lab.installation import Manifest
from lab.running import RunningLab

APP = "fabrikam"
PATIENCE = 60.0
UNDISTURBED = 20.0  # seconds that hold four rounds of Argo CD


class Application:
    """What every act does with one, and waits for. Each method raises AssertionError."""

    def __init__(
        self, lab: RunningLab, argocd: ArgoCD, watch: ApplicationWatch, screen: Screen
    ) -> None:
        self._lab, self._argocd, self._watch = lab, argocd, watch
        self._screen = screen
        self.repository = Repository(lab.folder / "repository")

    def commit(self, app: str, *manifests: Manifest, create: Manifest | None = None) -> Entry:
        """Commit, and wait until it is Synced, whatever its health. ``create``: a new one."""
        revision = self.repository.commit(app, *manifests)
        if create is not None:
            self._argocd.apply(self._argocd.application(app, self.repository.url, app, **create))
        else:
            self._argocd.refresh(app)
        return self._watch.wait_synced(app, revision)

    def sync(self, app: str, *manifests: Manifest, create: Manifest | None = None) -> float:
        """Commit, wait until Healthy, and compare the way there; the time it was Synced."""
        began = self._watch.journal.mark()
        synced = self.commit(app, *manifests, create=create)
        revision = synced.fields["revision"]
        working = self._watch.wait(app, "Progressing", since=began, revision=revision)
        healthy = self._watch.wait(app, "Healthy", since=working.at, revision=revision)
        states = self._watch.only_synced(app, synced.at)
        self._watch.healthy_only_when_ready(app, began)
        self._screen.good(
            f"Synced after {synced.at - began:.1f} s, Progressing, Healthy after "
            f"{healthy.at - began:.1f} s; Synced in all {states} states since"
        )
        return synced.at

    def prune(self, app: str) -> None:
        """A commit without the resource; the Application goes when the resource is gone."""
        # Argo CD does not prune the last object, unless told to by allowEmpty.
        self.repository.commit(app, self._argocd.after_the_resource())
        began = self._watch.journal.mark()
        self._argocd.refresh(app)
        wait.until(lambda: not self._lab.resource(), PATIENCE, "the resource to be pruned")
        self._screen.good(f"pruned after {self._watch.journal.mark() - began:.1f} s")
        self._argocd.delete(app)

    def healthy(self, since: float, what: str) -> None:
        """Wait until it is Healthy, and tell after what."""
        entry = self._watch.wait(APP, "Healthy", since=since)
        self._screen.good(f"{what}: Healthy after {entry.at - since:.1f} s")

    def shown(self, health: str, message: str) -> None:
        """Wait until Argo CD shows this at the resource."""

        def fits() -> bool:
            seen = self._argocd.resource_health(APP)
            assert seen.get("status") == health, seen
            assert message in seen.get("message", ""), seen
            return True

        wait.until(fits, PATIENCE, f"Argo CD to show {health}: {message}", interval=0.3)

    def stays(self, health: str, since: float, *, app: str = APP) -> int:
        """The number of states since then: after a while still this health, always Synced."""
        end = self._watch.journal.mark() + UNDISTURBED
        wait.until(lambda: self._watch.journal.mark() > end, UNDISTURBED + 5, "some time to pass")
        self._watch.wait(app, health, since=since)
        latest = self._watch.latest(app)
        assert latest.shows(health=health), f"not {health} any more: {dict(latest.fields)}"
        return self._watch.only_synced(app, since)

    def disable_proxy(self) -> None:
        """What somebody does in the Exchange Management Shell."""
        self._lab.control.cmdlet("Disable-PushNotificationProxy", Confirm=False)

    def proxy_enabled(self) -> bool:
        """Whether it is, in Exchange itself."""
        return bool(self._lab.control.state()["exchange"]["proxy"]["enabled"])
