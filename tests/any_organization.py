"""Any organisation that a pass may meet, for the property tests.

Each is made of one number: a table of chances says more of the world than a strategy would.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from answers import (
    AUTH,
    CONTOSO,
    DEDICATED,
    EX1,
    EX2,
    EX3,
    FABRIKAM,
    METADATA,
    NEXT,
    ORGANIZATION_ID,
    SIGNING_SERVICES,
    TRANSPORT,
    Said,
    auth_config,
    auth_server,
    base64_of,
    certificate,
    component,
    config,
    days,
    entry,
    evo_sts,
    held,
    item,
    local,
    missing,
    override,
    partner,
    proxy,
    seen,
    server,
    stored_proxy,
)
from exchange_push_operator.core import certificate_store, organization, probes, push_proxy
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import CmdletFailed, PushError, Unreachable
from exchange_push_operator.core.friendly_name import friendly_name
from exchange_push_operator.core.key_credentials import own_key_id, own_key_ids
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.ports import Answer

EX4, EX5 = (f"ex{number}.corp.fabrikam.com" for number in (4, 5))
EXPIRED = certificate(30, begins=-900, ends=-10)
FUTURE = certificate(31, begins=10)
SMALL = certificate(32, key="small")
POOL = (AUTH, NEXT, TRANSPORT, EXPIRED, FUTURE, SMALL)
NOWHERE = "F" * 40
OUR_NAME = friendly_name(ORGANIZATION_ID, TRANSPORT.thumbprint)
EDGE = {"IsMailboxServer": False, "IsClientAccessServer": False, "IsEdgeServer": True}
ERRORS = (
    "InvalidOperationException",
    "RpcClientException",
    "CommandNotFoundException",
    "",
)
SPECS: tuple[dict[str, Any], ...] = (
    {},
    {"principal": {"dropExpiredKeys": True}},
    {"principal": {"target": "DedicatedApplication", "appId": DEDICATED}},
    {"principal": {"target": "None"}, "tenant": {"tenantId": FABRIKAM}},
    {"proxy": {"state": "Disabled"}},
    {"proxy": {"state": "Unmanaged"}},
    {"certificate": {"thumbprint": NEXT.thumbprint}},
    {"certificate": {"restartServices": "Never"}},
    {"authServer": {"name": "ACS - 1"}, "verification": {"restartHealthManager": "Never"}},
)
PROBES = (
    Answer(({"ResultType": "Succeeded"},)),
    Answer(({"ResultType": "Failed", "Error": "(401)"},)),
    Answer(({"ResultType": "Failed", "Error": "(404)"},)),
    Answer(error=missing("TimeoutException")),
)


@dataclass(frozen=True)
class Case:
    """A resource, and what a round of looks at its world gave."""

    asked: PushConfig
    observed: Observations
    names_current: bool


@functools.cache
def _config(spec: str, servers: tuple[str, ...]) -> PushConfig:
    listed = {"exchange": {"servers": [{"name": name} for name in servers]}}
    rows = [{"name": name, "awaySince": days(-3)} for name in servers]
    return config({**json.loads(spec), **listed}, {"servers": rows})


class World:
    """The chances."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def rarely(self, chance: float = 0.15) -> bool:
        return self.rng.random() < chance

    def error(self) -> CmdletFailed:
        return missing(self.rng.choice(ERRORS))

    def case(self) -> Case:
        """Certificates, servers away or unlisted, auth servers, proxies, errors."""
        listed = tuple(self.rng.sample([EX1, EX2, EX3], self.rng.randint(1, 3)))
        unlisted = [name for name in (EX4, EX5) if self.rarely()]
        away = [name for name in listed[1:] if self.rarely()]
        asked = _config(json.dumps(self.rng.choice(SPECS)), listed)
        current = self.thumbprint() if self.rarely(0.6) else None
        said = self.organization(current, listed, unlisted)
        for name in unlisted:
            look = certificate_store.certificates_on(name, current)
            said[look] = self.error() if self.rarely(0.3) else self.store()
        observed = seen(
            asked,
            organization=said,
            servers={name: self.server(name) for name in listed},
            keys=Unreachable("no route") if self.rarely(0.1) else self.keys(),
            document=self.document(),
            away=away,
        )
        return Case(asked, self.probed(asked, self.broken(observed)), current is not None)

    def thumbprint(self) -> str:
        return (
            AUTH.thumbprint
            if self.rarely(0.7)
            else self.rng.choice([*(of.thumbprint for of in POOL), NOWHERE])
        )

    def document(self) -> Mapping[str, Any] | PushError | None:
        odd: list[Mapping[str, Any] | PushError] = [{}, {"realm": CONTOSO}, Unreachable("no route")]
        return self.rng.choice(odd) if self.rarely(0.3) else None

    def store(self) -> list[dict[str, Any]]:
        """What lies in a server's store."""
        names = ["Microsoft Exchange", "", "My OAuth certificate", OUR_NAME]
        chosen = [of for of in POOL if self.rarely(0.8 if of in (AUTH, TRANSPORT) else 0.15)]
        self.rng.shuffle(chosen)
        return [
            held(of, key=not self.rarely(), name=self.rng.choice(names) if self.rarely(0.4) else "")
            for of in chosen
        ]

    def server(self, name: str) -> dict[Cmdlet, Said]:
        row = local(
            name,
            Version=self.rng.choice([*["15.2.2562.17"] * 10, "15.1.2507.55", "15.1.1.1", None]),
            TimeUTC=self.rng.choice([days(0), days(0), days(0.1), None]),
            HealthManagerStartedUTC=self.rng.choice([None, days(-40), days(-1)]),
            SetupRunning=self.rarely(0.05),
            **{key: self.rng.choice([None, days(-1)]) for key in SIGNING_SERVICES},
        )
        if self.rarely(0.4):
            other = self.rng.choice([None, NEXT.thumbprint, AUTH.thumbprint, NOWHERE])
            row["TransportCertificateThumbprint"] = other
        store = self.store()
        if self.rarely(0.1):  # making our certificate has taken the role
            row["TransportCertificateThumbprint"] = NEXT.thumbprint
            store = [held(NEXT, name=OUR_NAME), held(TRANSPORT)]
        return {
            organization.LOCAL_SERVER: [row],
            certificate_store.LOCAL_CERTIFICATES: store,
            organization.component_states(name): [
                component(state="Inactive" if self.rarely() else "Active")
            ],
            probes.monitoring_items(name): [] if self.rarely() else [item()],
        }

    def organization(
        self, current: str | None, listed: Sequence[str], unlisted: Sequence[str]
    ) -> dict[Cmdlet, Said]:
        staged = self.thumbprint() if self.rarely() else ""
        hybrid = [evo_sts(DEDICATED)] if self.rarely() else []
        proxies: list[list[dict[str, Any]]] = [
            [proxy()],
            [proxy(Enabled=False, Organization=None, Uri=None)],
            [proxy(Organization="contoso.com", WhenChangedUTC=days(-2))],
            [proxy(WhenChangedUTC=None)],
            [],
        ]
        return {
            organization.EXCHANGE_SERVERS: [
                *(self.known(name) for name in (*listed, *unlisted)),
                *([server("edge1.dmz.fabrikam.com", **EDGE)] if self.rarely() else []),
            ],
            organization.AUTH_CONFIG: [
                auth_config(
                    current,
                    NextCertificateThumbprint=staged,
                    WhenChangedUTC=self.rng.choice([None, days(-30), days(-0.02), days(0)]),
                )
            ],
            organization.AUTH_SERVERS: [*self.auth_servers(), *hybrid],
            organization.PARTNER_APPLICATIONS: []
            if self.rarely(0.05)
            else [partner(Enabled=not self.rarely())],
            organization.SETTING_OVERRIDES: [override()] if self.rarely(0.1) else [],
            push_proxy.WHAT_IF: self.rng.choice(proxies),
            push_proxy.DIRECTORY: self.rng.choice([[stored_proxy()], [stored_proxy()], []])
            if not self.rarely()
            else missing(),
        }

    def known(self, name: str) -> dict[str, Any]:
        """A server as Active Directory has it."""
        builds = ["15.2 (Build 2562.17)"] * 20 + ["15.1 (Build 2507.6)", "15.0 (Build 712.24)"]
        return server(
            name,
            IsMailboxServer=not self.rarely(0.1),
            AdminDisplayVersion=f"Version {self.rng.choice(builds)}",
        )

    def auth_servers(self) -> list[dict[str, Any]]:
        """Auth servers of all kinds; names are unique, as in Active Directory."""
        urls = [METADATA, METADATA, METADATA.replace("fabrikam", "contoso"), "https://sts/", None]
        return [
            auth_server(
                name,
                Type=self.rng.choice(["MicrosoftACS", "MicrosoftACS", "AzureAD", "ADFS"]),
                Realm=self.rng.choice([FABRIKAM, FABRIKAM, CONTOSO, "", None, "fabrikam.com"]),
                AuthMetadataUrl=self.rng.choice(urls),
                Enabled=not self.rarely(0.3),
                ApplicationIdentifier=DEDICATED if self.rarely() else "",
            )
            for name in ("MicrosoftSts", "ACS - 1", "ACS - 2", "EvoSts")
            if self.rarely(0.4)
        ]

    def keys(self) -> list[dict[str, Any]]:
        """Key credentials in every spelling, ours and others'."""
        made = [self.key(number) for number in range(self.rng.randint(0, 5))]
        made += self.renewed() if self.rarely(0.2) else []
        return list({raw["keyId"].lower(): raw for raw in made}.values())

    def renewed(self) -> list[dict[str, Any]]:
        """A key of ours and the one that has joined it."""
        ends = (days(5), days(1000))
        ids = own_key_ids(ORGANIZATION_ID, AUTH)
        return [entry(keyId=own, endDateTime=end) for own, end in zip(ids, ends, strict=False)]

    def key(self, number: int) -> dict[str, Any]:
        of = self.rng.choice(POOL)
        spellings = [None, of.thumbprint, of.thumbprint.lower(), base64_of(of.thumbprint), "odd"]
        own = own_key_id(ORGANIZATION_ID, of, self.rng.randint(0, 1))
        foreign = f"{number:08X}-0000-4000-8000-00000000000f"
        return entry(
            of,
            keyId=own if self.rarely(0.3) else foreign,
            key=None if self.rarely(0.3) else of.base64,
            customKeyIdentifier=self.rng.choice(spellings),
            usage="Sign" if self.rarely() else "Verify",
            endDateTime=self.rng.choice([None, days(-5), days(5), days(1000)]),
            displayName=self.rng.choice([None, "theirs"]),
        )

    def broken(self, observed: Observations) -> Observations:
        """One look fails, whichever it is."""
        if not self.rarely():
            return observed
        look = self.rng.choice(sorted(observed.cmdlets, key=str))
        return replace(observed, cmdlets={**observed.cmdlets, look: Answer(error=self.error())})

    def probed(self, asked: PushConfig, observed: Observations) -> Observations:
        if self.rarely():
            return observed
        probed = {
            (name, probes.probe(asked, name)): self.rng.choice(PROBES) for name in observed.answered
        }
        return replace(observed, cmdlets={**observed.cmdlets, **probed})


def case(seed: int) -> Case:
    """The organisation of a number."""
    return World(seed).case()


def key_lists(seed: int) -> list[dict[str, Any]]:
    """The key credentials of a number."""
    return World(seed).keys()


numbers = st.integers(0, 2**32)


def reordered(observed: Observations, seed: int) -> Observations:
    """The same answers, with rows and fields in another order."""
    rng = random.Random(seed)
    graph = {
        request: answer
        if isinstance(answer, PushError)
        else {**answer, "keyCredentials": _shuffled(answer["keyCredentials"], rng)}
        for request, answer in observed.graph_answers.items()
    }
    looks = list(observed.cmdlets.items())
    rng.shuffle(looks)
    cmdlets = {
        key: replace(answer, rows=tuple(_shuffled(answer.rows, rng))) for key, answer in looks
    }
    return replace(observed, cmdlets=cmdlets, graph_answers=graph)


def _shuffled(rows: Sequence[Mapping[str, Any]], rng: random.Random) -> list[Mapping[str, Any]]:
    turned: list[Mapping[str, Any]] = [dict(reversed(list(row.items()))) for row in rows]
    rng.shuffle(turned)
    return turned
