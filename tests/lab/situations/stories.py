"""The stories: how each situation comes about, and what kstatus has to make of it.

``Current``: it is as declared, go on. ``InProgress``: wait. ``Failed``: a person must act, stop
waiting. ``Terminating``: it is being deleted, whatever the conditions say. kstatus has no word for
a suspended resource and calls it InProgress.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from exchange_push_operator.core import status as statuses
from exchange_push_operator.core.config import SUSPENDED
from exchange_push_operator.reconcile.deletion import DEADLINE
from lab.exchange.build import add_auth_certificate
from lab.exchange.directory import AuthConfig
from lab.exchange.faults import set_fault
from lab.in_process import OLDER, Lab, Operator, lab
from lab.microsoft365.sample import CLIENT, FABRIKAM

GRACE = timedelta(minutes=5)
Act = Callable[[Lab], None]


@dataclass(frozen=True, slots=True)
class Situation:
    """``spec`` and ``before`` make the world, ``then`` happens once the resource is at rest."""

    name: str
    expected: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    before: Act | None = None
    then: Act | None = None
    read_only: bool = False
    looks: bool = True

    def play(self) -> Lab:
        """The lab at the end of the story."""
        outside = lab(self.spec)
        outside.resource["status"] = {"observedGeneration": -1}  # the CRD's default
        if self.before:
            self.before(outside)
        operator = Operator(outside, read_only=self.read_only)
        if self.looks:
            operator.run()
        if self.then:
            self.then(outside)
            operator.run()
            outside.clock.forward(seconds=GRACE.total_seconds())
            operator.run()
        return outside


def _fault(name: str, value: Any, server: str = "") -> Act:
    return lambda outside: set_fault(outside.organization, name, value, server)


def _microsoft(name: str, value: Any) -> Act:
    return lambda outside: outside.microsoft365.set_fault(name, value)


def _takes_its_time(outside: Lab) -> None:
    outside.write_status(statuses.progressing(outside.resource, outside.clock()))


def _edited(outside: Lab) -> None:
    """Ready, and edited since; the operator has not seen it yet."""
    outside.operator().run()
    outside.edit({"interval": "2h"})


def _expired(outside: Lab) -> None:
    long_ago = outside.clock() - timedelta(days=400)
    view, age = outside.organization.view(), timedelta(days=365)
    thumbprint = add_auth_certificate(outside.organization, start=long_ago, lifetime=age)
    view.put(AuthConfig(current=thumbprint))


def _quarrel(outside: Lab) -> None:
    """Somebody else switches the proxy off three times within an hour."""
    operator = outside.operator()
    operator.run()
    outside.clock.forward(hours=2)
    for _ in range(3):
        operator.run()
        outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    operator.run()


def _lost_secret(outside: Lab) -> None:
    del outside.secrets["fabrikam-exchange"]


def _unallowed(outside: Lab) -> None:
    outside.policy = {}


def _older_one(outside: Lab) -> None:
    outside.peers = [OLDER]


def _foreign_tenant(outside: Lab) -> None:
    another = "11111111-2222-4333-8444-555555555555"
    outside.policy["namespaces"]["exchange"]["tenantIds"].append(another)
    outside.resource["spec"]["tenant"]["tenantId"] = another


def _reader(outside: Lab) -> None:
    outside.microsoft365.grant(FABRIKAM, CLIENT, ["Application.Read.All"])


def _unreadable(outside: Lab) -> None:
    outside.resource["spec"]["interval"] = "soon"


def _suspended(outside: Lab) -> None:
    outside.annotate(SUSPENDED, "true")


def _resumed(outside: Lab) -> None:
    """Suspended, resumed, and the pass takes its time."""
    outside.annotate(SUSPENDED, "true")
    outside.operator().run()
    outside.annotate(SUSPENDED, "false")
    _takes_its_time(outside)


def _deleted(outside: Lab) -> None:
    _fault("down", value=True)(outside)
    outside.delete()


def _overdue(outside: Lab) -> None:
    _deleted(outside)
    outside.clock.forward(seconds=DEADLINE.total_seconds())


_EX2 = "ex2.corp.fabrikam.com"
_DISABLE = {"deletionPolicy": "Disable"}
_OBSERVE = {"managementPolicy": "Observe"}
_APPROVE = {"managementPolicy": "Approve"}
_NIGHT = {"days": ["Sat"], "start": "22:00", "duration": "6h", "timeZone": "Europe/Berlin"}
_AT_NIGHT = {"changeWindows": [_NIGHT]}
_BUSY = {"status": 429, "times": None, "retryAfter": 30}
_NO_KEYS = "CredentialTypeNotAllowedAsPerAppPolicy"
_AWAY = _fault("down", value=True)

SITUATIONS = (
    Situation("applied", "InProgress", looks=False),
    Situation("first-look", "InProgress", before=_takes_its_time, looks=False),
    Situation("ready", "Current"),
    Situation("edited", "InProgress", before=_edited, looks=False),
    Situation("one-server-away", "Current", then=_fault("down", value=True, server=_EX2)),
    Situation("in-maintenance", "Current", then=_fault("maintenance", value=True, server=_EX2)),
    Situation("service-gone", "Current", before=_microsoft("push_failure", {"status": 410})),
    Situation("observe-drift", "Current", spec=_OBSERVE),
    Situation("read-only-drift", "Current", read_only=True),
    Situation("unreachable", "InProgress", then=_AWAY),
    Situation("throttled", "InProgress", then=_microsoft("graph_failure", _BUSY)),
    Situation("settling", "InProgress", before=_microsoft("read_lag", 50)),
    Situation("proxy-not-shown", "InProgress", before=_fault("proxy_look", "nothing")),
    Situation("certificate-expired", "InProgress", before=_expired),
    Situation("awaiting-administrator", "InProgress", before=_reader),
    Situation("awaiting-approval", "InProgress", spec=_APPROVE),
    Situation("outside-window", "InProgress", spec=_AT_NIGHT),
    Situation("contended", "InProgress", before=_quarrel, looks=False),
    Situation("tenant-not-found", "InProgress", spec={"tenant": {"domain": "nobody.example"}}),
    Situation("suspended", "InProgress", then=_suspended),
    Situation("suspended-at-once", "InProgress", spec={"suspend": True}),
    Situation("resumed", "InProgress", before=_resumed, looks=False),
    Situation("invalid-spec", "Failed", before=_unreadable),
    Situation("secret-not-found", "Failed", then=_lost_secret),
    Situation("access-denied", "Failed", before=_microsoft("conditional_access", value=True)),
    Situation("not-allowed-by-policy", "Failed", before=_unallowed),
    Situation("conflicting-config", "Failed", before=_older_one),
    Situation("tenant-mismatch", "Failed", before=_foreign_tenant),
    Situation("blocked-by-tenant-policy", "Failed", before=_microsoft("app_policy", _NO_KEYS)),
    Situation("deleting", "Terminating", spec=_DISABLE, then=_deleted),
    Situation("deletion-timed-out", "Terminating", spec=_DISABLE, then=_overdue),
)
