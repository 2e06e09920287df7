"""The in-process lab: both models behind the operator's ports, one resource, no sockets.

An ``Operator`` is one life of the operator: everything it remembers is thrown away with it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from exchange_push_operator.core.commands import Cmdlet, Value, cmdlet
from exchange_push_operator.core.config import FINALIZER
from exchange_push_operator.core.conflict import Peer
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.policy import Policy, parse_policy
from exchange_push_operator.core.ports import Exchange, ExchangeAccess, Fence, Graph, GraphAccess
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.timestamps import utc_text
from exchange_push_operator.reconcile import Memory, Outcome, World, reconcile
from lab.canary import CANARIES, Heard
from lab.exchange.build import default_organization
from lab.exchange.dump import dump
from lab.exchange.in_process import InProcessExchange
from lab.exchange.organization import ORGANIZATION_GUID, Organization
from lab.microsoft365 import Microsoft365
from lab.microsoft365.clouds import EXCHANGE_ONLINE
from lab.microsoft365.federation import LabIssuer, account_subject
from lab.microsoft365.in_process import InProcessGraph, InProcessMetadata
from lab.microsoft365.sample import (
    DEDICATED,
    FABRIKAM,
    SECRET,
    client_certificate,
    client_key_pem,
    principal,
    sample,
)
from lab.resources import resource
from lab.status_lint import lint

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ANOTHER_GUID = "1f7c2a54-0000-4000-8000-9f61d7b3c8aa"
PASSWORD = "canary-password-5f3a"
POLICY = {
    "namespaces": {
        "exchange": {
            "exchangeHosts": ["*.corp.fabrikam.com"],
            "tenantIds": [FABRIKAM],
            "principals": ["FirstPartyServicePrincipal", DEDICATED],
            "domains": ["fabrikam.com"],
        }
    }
}

BY_SECRET: dict[str, Any] = {
    "tenant": {
        "credentials": {
            "clientCertificate": None,
            "clientSecret": {"secretRef": {"name": "fabrikam-entra", "key": "client-secret"}},
        }
    }
}
"""Part of a spec, for stories of many passes: a certificate's key takes 40 ms to load."""

OLDER = Peer(
    namespace="other",
    name="first",
    uid="00000000-0000-4000-8000-000000000000",
    created="2020-01-01T00:00:00Z",
    organization_id="0f7c2a54-0000-4000-8000-9f61d7b3c8aa",
    deleting=False,
)
"""A resource of the same organisation that was there before."""

Cut = Callable[[], None]
ISSUER = LabIssuer()


def _no_cut() -> None:
    """The call goes through."""


def _in_turn(ask: Callable[[str], Any], servers: Sequence[str]) -> list[Any]:
    """One server after another, so that a story can be told again."""
    return [ask(name) for name in servers]


@dataclass
class Clock:
    """Time that moves when a test says so."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class Lab:
    """The world outside and one resource in the cluster."""

    organization: Organization
    microsoft365: Microsoft365
    clock: Clock
    resource: dict[str, Any]
    secrets: dict[str, dict[str, bytes]]
    policy: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(POLICY))
    peers: list[Peer] = field(default_factory=list)
    deleted: bool = False
    accounts: dict[str, str] = field(default_factory=dict)
    """The service accounts of the resource's namespace: name -> audience last asked for."""

    def token(self, namespace: str, name: str, audience: str) -> str:
        """The port ServiceAccounts."""
        if name not in self.accounts:
            message = f"service account {namespace}/{name} does not exist; create it"
            raise Refused(Reason.SERVICE_ACCOUNT_NOT_FOUND, message)
        self.accounts[name] = audience
        return ISSUER.token(account_subject(namespace, name), audience, self.clock())

    def read(self, namespace: str, name: str) -> tuple[Mapping[str, bytes], str]:
        """The port Secrets."""
        if name not in self.secrets:
            message = f"Secret {namespace}/{name} does not exist; create it"
            raise Refused(Reason.SECRET_NOT_FOUND, message)
        return self.secrets[name], str(hash(tuple(sorted(self.secrets[name].items()))))

    def operator(self, **options: Any) -> Operator:
        """A new life of the operator."""
        return Operator(self, **options)

    @property
    def status(self) -> dict[str, Any]:
        """What kubectl would show."""
        status: dict[str, Any] = self.resource.get("status") or {}
        return status

    def condition(self, type_: str) -> tuple[str, str]:
        """Status and reason of a condition; ("", "") where there is none."""
        for condition in self.status.get("conditions") or ():
            if condition["type"] == type_:
                return condition["status"], condition["reason"]
        return "", ""

    def edit(self, spec: Mapping[str, Any]) -> None:
        """A user's ``kubectl apply`` of another spec."""
        metadata = self.resource["metadata"]
        changed = resource(spec, **{**metadata, "generation": metadata["generation"] + 1})
        self.resource = {**changed, "status": self.status}

    def write_status(self, status: Mapping[str, Any]) -> None:
        """The door of every status: what differs is linted, and stored."""
        if status != self.status:
            broken = lint(self.resource, status)
            assert not broken, "\n".join([*broken, json.dumps(status["conditions"])])
            self.resource["status"] = dict(status)

    def delete(self) -> None:
        """A user's ``kubectl delete``."""
        metadata = self.resource["metadata"]
        metadata["generation"] += 1
        metadata["deletionTimestamp"] = utc_text(self.clock())
        self.deleted = not metadata.get("finalizers")

    def annotate(self, name: str, value: str) -> None:
        """A user's ``kubectl annotate``."""
        self.resource["metadata"].setdefault("annotations", {})[name] = value

    def administrator(self, name: str, /, **parameters: Value) -> None:
        """Somebody runs a cmdlet in the Exchange Management Shell of the first server."""
        shell = InProcessExchange(self.organization, account="CORP\\administrator")
        server = next(iter(self.organization.servers.values())).fqdn
        (answer,) = shell.run(server, (cmdlet(name, **parameters),), changes=True)
        if answer.error is not None:
            raise answer.error

    def exchange(self) -> dict[str, Any]:
        """The organisation as it is now."""
        return dump(self.organization)

    def key_credentials(self) -> list[dict[str, Any]]:
        """The key credentials of the principal that the resource targets."""
        app_id = self.resource["spec"]["principal"].get("appId") or EXCHANGE_ONLINE
        state: list[dict[str, Any]] = principal(self.microsoft365, app_id).state()["keys"]
        return state

    def outside(self) -> dict[str, Any]:
        """What two runs of one story must agree on: counts and links, not times or new keys."""
        exchange = self.exchange()
        current = exchange["authConfig"]["current"]
        return {
            "auth servers": sorted(
                (s["name"], s["metadataUrl"], s["enabled"]) for s in exchange["authServers"]
            ),
            "partners": [(p["name"], p["enabled"]) for p in exchange["partnerApplications"]],
            "proxy": [exchange["proxy"][key] for key in ("enabled", "organization", "uri")],
            "stores": {
                server["name"]: sorted(
                    (
                        _words(c["friendlyName"]),
                        c["thumbprint"] == current,
                        c["privateKey"],
                    )
                    for c in server["certificates"]
                )
                for server in exchange["servers"]
            },
            "transport": {s["name"]: _transport(s) for s in exchange["servers"]},
            "keys": sorted(str(key["thumbprint"] == current) for key in self.key_credentials()),
        }


def _words(friendly_name: str) -> str:
    """Without the thumbprint at the end of a name of ours: it is another one each time."""
    return friendly_name.split(" SMTP ", maxsplit=1)[0]


def _transport(server: Mapping[str, Any]) -> str:
    held = {c["thumbprint"]: c["friendlyName"] for c in server["certificates"]}
    name: str = held[server["transportCertificate"]]
    return name


def lab(
    spec: Mapping[str, Any] | None = None,
    *,
    auth_certificate: bool = True,
    servers: int = 2,
    beside: Lab | None = None,
    clock: Clock | None = None,
) -> Lab:
    """A fresh organisation, a fresh tenant, and the example resource.

    ``beside``: another organisation of that one's tenant, under the same clock.
    """
    clock = beside.clock if beside else clock or Clock()
    certificate = client_certificate(clock)
    microsoft365 = beside.microsoft365 if beside else sample(clock=clock, certificate=certificate)
    organization = default_organization(
        servers=servers,
        auth_certificate=auth_certificate,
        clock=clock,
        microsoft365=microsoft365,
        guid=ANOTHER_GUID if beside else ORGANIZATION_GUID,
    )
    CANARIES.plant("password", PASSWORD)
    secrets = {
        "fabrikam-exchange": {"username": b"CORP\\svc-epo", "password": PASSWORD.encode()},
        "fabrikam-entra": {
            "tls.crt": certificate.public_bytes(Encoding.PEM),
            "tls.key": client_key_pem(),
            "client-secret": SECRET.encode(),
        },
    }
    microsoft365.tokens.issuers[ISSUER.url] = ISSUER.keys
    return Lab(organization, microsoft365, clock, resource(spec), secrets)


class Operator:
    """One life: ports, sessions and memory are new. ``cut`` runs before and after each call."""

    def __init__(
        self,
        outside: Lab,
        *,
        before: Cut = _no_cut,
        after: Cut = _no_cut,
        read_only: bool = False,
        safety_acts: bool = True,
        chance: float = 0.5,
    ) -> None:
        """Connect to the lab."""
        self.lab = outside
        self.memory = Memory()
        self.before, self.after = before, after
        self.exchange = InProcessExchange(
            outside.organization, before=self._before_exchange, after=self._after_exchange
        )
        self._graphs: dict[str, InProcessGraph] = {}
        self.accesses: list[ExchangeAccess] = []
        self.audited: list[tuple[datetime, Mapping[str, Any]]] = []
        self.world = World(
            secrets=Heard(self),
            accounts=Heard(self),
            exchange=self._exchange,
            graph=self._graph,
            metadata=Heard(
                InProcessMetadata(
                    outside.microsoft365, before=self._before_call, after=self._after_call
                )
            ),
            policy=self._policy,
            clock=outside.clock,
            read_only=read_only,
            safety_acts_outside_windows=safety_acts,
            chance=lambda: chance,
            together=_in_turn,
            audit=self._audit,
        )

    def read(self, namespace: str, name: str) -> tuple[Mapping[str, bytes], str]:
        """The port Secrets, cut as the others are."""
        self.before()
        answer = self.lab.read(namespace, name)
        self.after()
        return answer

    def token(self, namespace: str, name: str, audience: str) -> str:
        """The port ServiceAccounts, cut as the others are."""
        self.before()
        token = self.lab.token(namespace, name, audience)
        self.after()
        return token

    def step(self) -> Outcome:
        """One pass, and what the controller does with its outcome."""
        peers = tuple(self.lab.peers)
        outcome = reconcile(self.lab.resource, lambda _: peers, self.world, self.memory)
        self._store(outcome)
        return outcome

    def run(self, most: int = 6) -> list[Outcome]:
        """Passes until one does not ask to be repeated at once or soon, or ``most`` of them."""
        outcomes = []
        for _ in range(most):
            outcomes.append(self.step())
            if outcomes[-1].requeue.kind not in ("now", "retry") or self.lab.deleted:
                break
            self.lab.clock.forward(seconds=1)
        return outcomes

    def _audit(self, entry: Mapping[str, Any]) -> None:
        CANARIES.show("audit", entry)
        self.audited.append((self.lab.clock(), entry))

    def _store(self, outcome: Outcome) -> None:
        CANARIES.show("status", outcome.status)
        CANARIES.show("event", [str(event) for event in outcome.events])
        CANARIES.show("log", outcome.changes)
        if outcome.status:
            self.lab.write_status(outcome.status)
        metadata = self.lab.resource["metadata"]
        if outcome.finalizer is True:
            metadata["finalizers"] = [FINALIZER]
        elif outcome.finalizer is False:
            metadata.pop("finalizers", None)
        self.lab.deleted = "deletionTimestamp" in metadata and not metadata.get("finalizers")

    def _policy(self) -> Policy:
        return parse_policy(self.lab.policy)

    def _exchange(self, access: ExchangeAccess, _wanted: Fence) -> Exchange:
        self.accesses.append(access)
        heard: Exchange = Heard(self.exchange)
        return heard

    def _graph(self, access: GraphAccess) -> Graph:
        if access.version not in self._graphs:
            self._graphs[access.version] = InProcessGraph(
                self.lab.microsoft365, access, before=self._before_call, after=self._after_call
            )
        heard: Graph = Heard(self._graphs[access.version])
        return heard

    def _before_exchange(self, _server: str, _batch: Sequence[Cmdlet], _changes: bool) -> None:  # noqa: FBT001 - a hook of the lab
        self.before()

    def _after_exchange(self, _server: str, _batch: Sequence[Cmdlet], _changes: bool) -> None:  # noqa: FBT001 - a hook of the lab
        self.after()

    def _before_call(self, _call: str, _changes: bool) -> None:  # noqa: FBT001 - a hook of the lab
        self.before()

    def _after_call(self, _call: str, _changes: bool) -> None:  # noqa: FBT001 - a hook of the lab
        self.after()
