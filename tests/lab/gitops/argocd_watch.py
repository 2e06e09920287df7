"""What Argo CD says of an Application, and how it goes with what the resource says of itself."""

from __future__ import annotations

from lab.gitops.argocd import NAMESPACE
from lab.gitops.journal import Entry, Journal
from lab.resource_client import KIND

APPLICATIONS = "applications.argoproj.io"
_APPLICATION = {
    "sync": ".status.sync.status",
    "health": ".status.health.status",
    "revision": ".status.sync.revision",
    "synced_at": ".status.operationState.finishedAt",
}
_READY = '.status.conditions[?(@.type=="Ready")]'
_RESOURCE = {
    "generation": ".metadata.generation",
    "observed": f"{_READY}.observedGeneration",
    "ready": f"{_READY}.status",
    "reason": f"{_READY}.reason",
}
_TOGETHER = 0.5  # two watches may tell of two things at once in any order


def follow_resources(journal: Journal, namespace: str) -> None:
    """Write down every state of the ExchangePushConfigs."""
    journal.follow(KIND, namespace, _RESOURCE)


def is_ready(entry: Entry) -> bool:
    """Whether a resource is Ready, as of its present generation."""
    return entry.shows(ready="True", observed=entry.fields["generation"])


class ApplicationWatch:
    """Asks the journal about Applications whose one resource is fabrikam."""

    def __init__(self, journal: Journal, namespace: str) -> None:
        self.journal = journal
        journal.follow(APPLICATIONS, NAMESPACE, _APPLICATION)
        follow_resources(journal, namespace)

    def wait(self, name: str, health: str, *, since: float = 0.0, revision: str = "") -> Entry:
        """Wait until it is Synced and has this health, at this revision if one is given."""

        def holds(entry: Entry) -> bool:
            fits = not revision or entry.shows(revision=revision)
            return fits and entry.shows(sync="Synced", health=health)

        what = f"Application {name}: Synced and {health}"
        return self.journal.wait_for(what, APPLICATIONS, name, holds, since=since)

    def wait_synced(self, name: str, revision: str) -> Entry:
        """Wait until it is Synced to a revision, whatever its health."""
        return self.journal.wait_for(
            f"Application {name}: Synced to {revision[:8]}",
            APPLICATIONS,
            name,
            lambda entry: entry.shows(sync="Synced", revision=revision),
        )

    def latest(self, name: str) -> Entry:
        """Its last state."""
        entry = self.journal.latest(APPLICATIONS, name)
        assert entry, f"nothing was seen of Application {name}"
        return entry

    def only_synced(self, name: str, since: float) -> int:
        """The number of its states since then, all Synced. Raises AssertionError."""
        entries = self.journal.since(since, APPLICATIONS, name)
        wrong = [dict(entry.fields) for entry in entries if not entry.shows(sync="Synced")]
        assert not wrong, f"Application {name} was not Synced throughout: {wrong}"
        return len(entries)

    def healthy_only_when_ready(self, name: str, since: float) -> None:
        """Whenever it turned Healthy, the resource was Ready. Raises AssertionError."""
        before = ""
        for entry in self.journal.since(since, APPLICATIONS, name):
            turned = entry.shows(health="Healthy") and before != "Healthy"
            before = entry.fields["health"]
            assert not turned or self._was_ready(entry.at), f"{name}: Healthy before Ready"

    def _was_ready(self, at: float) -> bool:
        states = self.journal.since(0.0, KIND, "fabrikam")
        known = [state for state in states if state.at <= at + _TOGETHER]
        return any(is_ready(state) for state in known[-3:])
