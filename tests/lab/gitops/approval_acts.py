"""Change control under Argo CD: a commit approves, a window opens, and an old approval is void."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from exchange_push_operator.core.timestamps import parse_utc, utc_text
from lab import wait
from lab.demo_screen import Screen
from lab.gitops.argocd import ArgoCD
from lab.gitops.argocd_application import APP, Application
from lab.gitops.argocd_watch import ApplicationWatch
from lab.installation import Manifest
from lab.running import RunningLab

# Windows begin with a minute; until then drift is found, shown and approved.
_ENOUGH = timedelta(seconds=75)


class ApprovalActs:
    """One Application whose resource changes nothing without a commit that says so."""

    def __init__(
        self, lab: RunningLab, argocd: ArgoCD, watch: ApplicationWatch, screen: Screen
    ) -> None:
        self._lab, self._watch, self._screen = lab, watch, screen
        self._app = Application(lab, argocd, watch, screen)
        self._opens = datetime.min.replace(tzinfo=UTC)

    def all(self) -> None:
        """Raises AssertionError."""
        self._screen.step("A commit with the resource, and an Application on it")
        self._app.sync(APP, self._lab.example(), create={})
        self._window()
        plan = self._drift()
        self._approve(plan)
        self._opened(plan)
        self._stale(plan)

    # the acts

    def _window(self) -> None:
        self._screen.step("A commit: managementPolicy Approve, and a change window")
        self._opens = _full_minute(datetime.now(UTC) + _ENOUGH)
        self._app.sync(APP, self._example())
        self._screen.note(f"the window opens at {utc_text(self._opens)}")

    def _drift(self) -> str:
        self._screen.step("Somebody disables the proxy")
        began = self._watch.journal.mark()
        self._app.disable_proxy()
        return self._awaits_approval(began)

    def _approve(self, plan: str) -> None:
        self._screen.step("A commit sets spec.approvedPlan")
        began = self._watch.journal.mark()
        self._app.commit(APP, self._example(approvedPlan=plan))
        self._lab.wait_condition("InSync", "False", "OutsideWindow")
        self._watch.wait(APP, "Degraded", since=began)
        self._app.shown("Degraded", f"OutsideWindow: plan {plan} waits for the change window")
        self._app.shown("Degraded", f"opens at {utc_text(self._opens)}")
        assert not self._app.proxy_enabled(), "changed outside of the window"
        self._screen.good(f"Degraded: {self._lab.condition('InSync')['message']}")

    def _opened(self, plan: str) -> None:
        self._screen.step("The window opens")
        before = self._lab.status()["history"]
        left = (self._opens - datetime.now(UTC)).total_seconds()
        self._screen.note(f"in {left:.0f} s")
        wait.until(lambda: datetime.now(UTC) >= self._opens, max(left, 0) + 5, "the window to open")
        opened = self._watch.journal.mark()
        self._app.healthy(opened, "the window is open")
        assert self._app.proxy_enabled(), "Healthy, and the proxy is disabled"
        made = [entry for entry in self._lab.status()["history"] if entry not in before]
        assert {entry["outcome"] for entry in made} == {"Succeeded"}, made
        assert "Enable the push notification proxy" in [entry["action"] for entry in made], made
        early = [entry for entry in made if parse_utc(entry["time"]) < self._opens]
        assert not early, f"changed before {utc_text(self._opens)}: {early}"
        assert self._lab.resource()["spec"]["approvedPlan"] == plan
        for entry in reversed(made):
            self._screen.note(f"{entry['time']} {entry['action']} ({entry['target']})")
        self._screen.good("the approved plan was performed, all of it, and after the opening")

    def _stale(self, plan: str) -> None:
        self._screen.step("The same drift again; the old approval is still in git")
        began = self._watch.journal.mark()
        self._app.disable_proxy()
        new = self._awaits_approval(began)
        assert new != plan, f"the same plan {plan} again"
        self._app.shown("Degraded", f"which names {plan}")
        self._screen.good("in an open window, and nothing was changed")

    # what is waited for

    def _awaits_approval(self, began: float) -> str:
        """Degraded with the plan, for a while, and Synced throughout; the hash of the plan."""
        self._lab.wait_condition("InSync", "False", "AwaitingApproval")
        self._watch.wait(APP, "Degraded", since=began)
        plan = str(self._lab.status()["planHash"])
        self._app.shown("Degraded", f"AwaitingApproval: plan {plan} waits for spec.approvedPlan")
        self._screen.good(f"Degraded: {self._lab.condition('InSync')['message']}")
        states = self._app.stays("Degraded", began)
        assert not self._app.proxy_enabled(), "changed without approval"
        assert self._lab.status()["planHash"] == plan, "the plan has moved"
        self._screen.good(f"Synced in all {states} states since, and nothing was changed")
        return plan

    def _example(self, **spec: Any) -> Manifest:
        window = {
            "days": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
            "start": f"{self._opens:%H:%M}",
            "duration": "1h",
            "timeZone": "UTC",
        }
        return self._lab.example(managementPolicy="Approve", changeWindows=[window], **spec)


def _full_minute(moment: datetime) -> datetime:
    """The first one that is not before."""
    cut = moment.replace(second=0, microsecond=0)
    return cut if cut == moment else cut + timedelta(minutes=1)
