"""Any organisation, and any faults at any moment: stories for the property test.

A story is a value with a readable repr; hypothesis makes it and shrinks it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st

from lab.exchange.build import add_auth_certificate
from lab.exchange.directory import AuthConfig, AuthServer, PartnerApplication, PushProxy
from lab.exchange.organization import Organization
from lab.in_process import BY_SECRET, Lab, lab
from lab.microsoft365.directory import KeyCredential
from lab.microsoft365.sample import CONTOSO, FABRIKAM, principal
from lab.network.ca import self_signed
from lab.resources import merged

ALL = ""
SERVERS = ("ex1.corp.fabrikam.com", "ex2.corp.fabrikam.com", "ex3.corp.fabrikam.com")
KILLED = "killed"
"""Not a switch of the lab: the operator itself dies, and another one starts."""
_ACS = "https://accounts.accesscontrol.windows.net"
OURS = f"{_ACS}/metadata/json/1/?realm=fabrikam.com"
_OLD_SPELLING = f"{_ACS}/{FABRIKAM}/metadata/json/1"
_WRONG = f"{_ACS}/metadata/json/1/?realm=contoso.com"

AUTH_SERVERS: Mapping[str, AuthServer] = MappingProxyType(
    {
        "ours": AuthServer("MicrosoftSts", realm=FABRIKAM, metadata_url=OURS),
        "ours, disabled": AuthServer(
            "MicrosoftSts", realm=FABRIKAM, metadata_url=OURS, enabled=False
        ),
        "ours, of another tenant": AuthServer("MicrosoftSts", realm=CONTOSO, metadata_url=_WRONG),
        "the wizard's": AuthServer("ACS - 1", realm=FABRIKAM, metadata_url=_OLD_SPELLING),
        "the wizard's, disabled": AuthServer(
            "ACS - 2", realm=FABRIKAM, metadata_url=_OLD_SPELLING, enabled=False
        ),
        "another tenant's": AuthServer("ACS - 3", realm=CONTOSO, metadata_url=_WRONG),
        "of another kind": AuthServer("EvoSts", type="AzureAD", realm=FABRIKAM),
    }
)


def _without_key_on_the_first(organization: Organization) -> str:
    made = add_auth_certificate(organization)
    store = next(iter(organization.servers.values())).store
    store[made] = replace(store[made], key=None)
    return made


def _on_the_first(organization: Organization) -> str:
    return add_auth_certificate(organization, servers=(next(iter(organization.servers)),))


def _lasting(organization: Organization, begins: float, days: float) -> str:
    start = organization.clock() + timedelta(days=begins)
    return add_auth_certificate(organization, start=start, lifetime=timedelta(days=days))


def _not_named(organization: Organization, number: int) -> str:
    for _ in range(number):
        add_auth_certificate(organization)
    return ""


# Puts certificates into the stores, and tells the thumbprint that AuthConfig is to name.
CERTIFICATES: Mapping[str, Callable[[Organization], str]] = MappingProxyType(
    {
        "valid": add_auth_certificate,
        "on one server only": _on_the_first,
        "without its key on one": _without_key_on_the_first,
        "expired": lambda organization: _lasting(organization, -900, 800),
        "not valid yet": lambda organization: _lasting(organization, 1, 800),
        "nowhere": lambda _: "B" * 40,
        "one, not named": lambda organization: _not_named(organization, 1),
        "two, not named": lambda organization: _not_named(organization, 2),
        "none": lambda _: "",
    }
)
PROXIES = ("disabled", "enabled", "elsewhere")
# What leads further comes more often: hypothesis takes one as readily as another.
PARTNERS = ("enabled", "enabled", "enabled", "disabled", "disabled", "missing")
SPECS: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "the example": {},
        "proxy disabled": {"proxy": {"state": "Disabled"}},
        "proxy unmanaged": {"proxy": {"state": "Unmanaged"}},
        "no principal": {"principal": {"target": "None"}, "tenant": {"tenantId": FABRIKAM}},
        "expired keys may go": {"principal": {"dropExpiredKeys": True}},
        "no restarts": {
            "verification": {"restartHealthManager": "Never"},
            "certificate": {"restartServices": "Never"},
        },
    }
)


@dataclass(frozen=True)
class Start:
    """How the organisation is found."""

    servers: int
    listed: int
    certificate: str
    next_staged: bool
    auth_servers: tuple[str, ...]
    proxy: str
    partner: str
    foreign_keys: int
    spec: str
    takes_transport: bool
    distributes_key: bool

    def lab(self) -> Lab:
        """Make it."""
        listed = {"exchange": {"servers": [{"name": name} for name in SERVERS[: self.listed]]}}
        spec = merged(merged(BY_SECRET, SPECS[self.spec]), listed)
        made = lab(spec, auth_certificate=False, servers=self.servers)
        organization = made.organization
        organization.switches.creation_takes_transport = self.takes_transport
        organization.switches.distributes_key = self.distributes_key
        self._certificates(organization)
        view = organization.view()
        for name in self.auth_servers:
            view.put(AUTH_SERVERS[name])
        if self.partner != "enabled":
            _spoil_partner(organization, missing=self.partner == "missing")
        if self.proxy != "disabled":
            domain = "fabrikam.com" if self.proxy == "enabled" else "elsewhere.example"
            enabled = PushProxy(
                enabled=True,
                organization=domain,
                uri="https://outlook.office365.com/PushNotifications",
            )
            view.put(replace(enabled, when_changed=made.clock() - timedelta(days=3)))
        _add_foreign_keys(made, self.foreign_keys)
        return made

    def _certificates(self, organization: Organization) -> None:
        named = CERTIFICATES[self.certificate](organization)
        staged = add_auth_certificate(organization) if self.next_staged and named else ""
        effective = organization.clock() + timedelta(days=60) if staged else None
        organization.view().put(AuthConfig(current=named, next=staged, next_effective=effective))


def _spoil_partner(organization: Organization, *, missing: bool) -> None:
    view = organization.view()
    (partner,) = view.all(PartnerApplication)
    if missing:
        view.remove(PartnerApplication, partner.name)
    else:
        view.put(replace(partner, enabled=False))


def _add_foreign_keys(made: Lab, number: int) -> None:
    """Keys of somebody else; the first has expired."""
    held = principal(made.microsoft365)
    for one in range(number):
        begins = made.clock() - timedelta(days=400 - 300 * one)
        certificate = self_signed("another organisation's server", start=begins, days=365)
        held.keys = (*held.keys, KeyCredential.of(certificate, f"theirs {one}"))


@dataclass(frozen=True)
class Fault:
    """``name`` is thrown before the call ``at`` of the story, and taken back ``calls`` later."""

    at: int
    name: str
    value: Any
    target: str = ALL
    calls: int = 1


@dataclass(frozen=True)
class Story:
    """An organisation, what goes wrong there, and how long the operator is watched."""

    start: Start
    faults: tuple[Fault, ...]
    passes: int


OF_SERVER: tuple[tuple[str, Any], ...] = (
    ("down", True),
    ("quota", True),
    ("unauthorized", True),
    ("second_hop_refused", True),
    ("iis_down", True),
    ("die_before_change", 1),
    ("die_after_change", 1),
    ("lost_answers", 1),
    ("maintenance", True),
    ("setup_running", True),
    ("push_component_inactive", True),
    ("clock_skew", 600.0),
    ("clock_skew", -600.0),
    ("probe_missing", True),
    ("health_manager_stopped", True),
    ("health_manager_broken", True),
    ("rpc_down", True),
    ("transport_unreadable", True),
    ("outbound_blocked", True),
    ("culture", "de-DE"),
)
OF_ORGANIZATION: tuple[tuple[str, Any], ...] = (
    ("replication_lag_seconds", 90),
    ("replication_lag_looks", 2),
    ("proxy_look", "nothing"),
    ("stale_probe", "unlisted"),
    ("probe_warmup", 60.0),
)
CMDLETS = (
    "Copy-ExchangeCertificate",
    "Enable-ExchangeCertificate",
    "Enable-PushNotificationProxy",
    "Get-AuthConfig",
    "Get-AuthServer",
    "Get-ExchangeCertificate",
    "Get-ExchangeServer",
    "Get-PartnerApplication",
    "Get-ServerComponentState",
    "Invoke-MonitoringProbe",
    "New-AuthServer",
    "New-ExchangeCertificate",
    "Restart-Service",
    "Set-AuthConfig",
    "Set-AuthServer",
    "Set-PartnerApplication",
)
_FAILS = {"status": 503, "times": 1}
OF_MICROSOFT: tuple[tuple[str, Any], ...] = (
    ("authority_failure", _FAILS),
    ("graph_failure", _FAILS),
    ("graph_failure", {"status": 429, "times": 1, "retryAfter": 5}),
    ("graph_failure", {"status": 0, "times": 1}),
    ("acs_failure", _FAILS),
    ("push_failure", _FAILS),
    ("reset_after_patch", 1),
    ("concurrency_violation", 1),
    ("read_lag", 2),
    ("rival", 1),
    ("token_rejected", 1),
    ("first_party_locked", True),
    ("clock_skew", 600),
)
MICROSOFT = "microsoft365"
_AWAY = OF_SERVER[:5]

_at = st.integers(0, 40)
_long = st.integers(5, 40)
_where = st.sampled_from((ALL, *SERVERS))


def _faults(known: tuple[tuple[str, Any], ...], where: st.SearchStrategy[str]) -> Any:
    return st.builds(
        lambda at, of, target, calls: Fault(at, of[0], of[1], target, calls),
        _at,
        st.sampled_from(known),
        where,
        _long,
    )


_cmdlets = st.sampled_from(CMDLETS)
faults = st.one_of(
    _faults(OF_SERVER, _where),
    _faults(OF_SERVER, _where),
    _faults(_AWAY, _where),
    _faults(OF_ORGANIZATION, st.just(ALL)),
    _faults(OF_MICROSOFT, st.just(MICROSOFT)),
    _cmdlets.flatmap(lambda name: _faults((("stuck_cmdlet", name),), _where)),
    _cmdlets.flatmap(lambda name: _faults((("denied_cmdlets", [name]),), st.just(ALL))),
    st.builds(Fault, _at, st.just(KILLED), st.just(value=True)),
)
_servers = st.integers(1, 3).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))
starts = st.builds(
    lambda counted, **rest: Start(*counted, **rest),
    _servers,
    certificate=st.sampled_from(sorted(CERTIFICATES) + 3 * ["valid", "none"]),
    next_staged=st.booleans(),
    auth_servers=st.lists(
        st.sampled_from(sorted(AUTH_SERVERS)),
        max_size=3,
        unique_by=lambda name: AUTH_SERVERS[name].name,
    ).map(tuple),
    proxy=st.sampled_from(PROXIES),
    partner=st.sampled_from(PARTNERS),
    foreign_keys=st.integers(0, 2),
    spec=st.sampled_from(sorted(SPECS) + 4 * ["the example"]),
    takes_transport=st.booleans(),
    distributes_key=st.booleans(),
)
stories = st.builds(
    Story,
    starts,
    st.one_of(st.just([]), *(st.lists(faults, min_size=n, max_size=n + 3) for n in (1, 3, 5))).map(
        lambda found: tuple(sorted(found, key=lambda f: f.at))
    ),
    st.integers(1, 6),
)
