"""Every state of a resource that a GitOps tool has to judge, brought about and recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from lab import wait
from lab.installation import Manifest
from lab.running import RunningLab

SUSPENDED = "exchangepush.dev/suspended"
FLAGS = ("--max-interval=2s", "--unreachable-grace-period=1s")


class Situations:
    """Each is named by the health that it should get, and what it is."""

    def __init__(self, lab: RunningLab) -> None:
        self._lab = lab
        self.recorded: dict[str, Manifest] = {}

    def all(self) -> dict[str, Manifest]:
        """Needs the operator with FLAGS; leaves it running, and no resource."""
        self._new()
        self._suspended()
        self._drift()
        self._failing()
        self._out_of_reach()
        self._stalled()
        self._edited()
        self._deleting()
        return self.recorded

    def _new(self) -> None:
        lab = self._lab
        lab.stop_operator()
        lab.installation.apply(lab.example())
        self._record("progressing_new")
        lab.control.post("/hold", matching="ex1", when="before")
        lab.start_operator(*FLAGS)
        lab.wait_condition("Ready", "Unknown", "Progressing")
        self._record("progressing_first_look")
        lab.control.post("/release")
        lab.wait_ready()
        self._record("healthy")

    def _suspended(self) -> None:
        lab = self._lab
        lab.kubectl("annotate", "epc", "fabrikam", f"{SUSPENDED}=true")
        lab.wait_condition("Ready", "Unknown", "Suspended")
        self._record("suspended_by_annotation")
        lab.stop_operator()
        lab.kubectl("annotate", "epc", "fabrikam", f"{SUSPENDED}-")
        self._record("progressing_resumed")
        lab.start_operator(*FLAGS)
        lab.wait_ready()
        self._patch(suspend=True)
        lab.wait_condition("Ready", "Unknown", "Suspended")
        self._record("suspended_by_spec")
        self._patch(suspend=False)
        lab.wait_ready()

    def _drift(self) -> None:
        self._patch(managementPolicy="Observe")
        self._lab.wait_condition("InSync", "True")
        self._lab.control.cmdlet("Disable-PushNotificationProxy", Confirm=False)
        self._lab.wait_condition("InSync", "False", "DriftDetected")
        self._lab.wait_ready()
        self._record("healthy_observed_drift")

    def _failing(self) -> None:
        self._patch(managementPolicy="Manage")
        self._lab.wait_condition("InSync", "True")
        with self._fault("not_provisioned", value=True, target="microsoft365"):
            self._lab.wait_condition("Ready", "False", "PrincipalNotFound")
            self._record("degraded_retried")
        self._lab.reconcile_now()
        self._lab.wait_ready()

    def _out_of_reach(self) -> None:
        with self._fault("down", value=True):
            self._lab.wait_condition("Ready", "Unknown", "Unreachable")
            self._record("degraded_unreachable")
        self._lab.wait_ready()

    def _stalled(self) -> None:
        with self._without_secret():
            self._lab.wait_condition("Stalled", "True", "SecretNotFound")
            self._record("degraded_stalled")
        self._lab.reconcile_now()
        self._lab.wait_ready()

    def _edited(self) -> None:
        self._lab.stop_operator()
        self._patch(deletionPolicy="Disable")
        self._record("progressing_new_generation")
        self._lab.start_operator(*FLAGS)
        self._lab.wait_ready()

    def _deleting(self) -> None:
        lab = self._lab
        with self._fault("down", value=True):
            lab.kubectl("delete", "epc", "fabrikam", "--wait=false")
            lab.wait_condition("Ready", "False", "Deleting")
            self._record("progressing_deletion")
        with self._without_secret():
            lab.wait_condition("Stalled", "True", "SecretNotFound")
            self._record("progressing_deletion_stalled")
        lab.reconcile_now()
        wait.until(lambda: not lab.resource(), 60, "the resource to be gone", interval=0.2)

    @contextlib.contextmanager
    def _fault(self, name: str, *, value: bool, target: str = "exchange") -> Iterator[None]:
        self._lab.control.fault(name, value, target)
        try:
            yield
        finally:
            self._lab.control.fault(name, not value, target)

    @contextlib.contextmanager
    def _without_secret(self) -> Iterator[None]:
        self._lab.kubectl("delete", "secret", "fabrikam-exchange")
        self._lab.reconcile_now()
        try:
            yield
        finally:
            self._lab.write_secrets()

    def _patch(self, **spec: Any) -> None:
        self._lab.patch(spec)

    def _record(self, name: str) -> None:
        self.recorded[name] = self._lab.resource()
