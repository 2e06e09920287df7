"""What a hostile user, an odd server or bad timing must not be able to do."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from exchange_push_operator.core.commands import Cmdlet, GraphRequest
from exchange_push_operator.core.ports import Graph, GraphAccess
from exchange_push_operator.reconcile import Memory, World, reconcile
from lab.exchange.build import add_auth_certificate, add_server
from lab.exchange.directory import AuthConfig
from lab.exchange.faults import set_fault
from lab.in_process import OLDER, Lab, Operator, lab
from lab.microsoft365.sample import CONTOSO, FABRIKAM
from lab.resources import schema

pytestmark = pytest.mark.lab

INSIDE: dict[str, Any] = {
    "tenant": {"tenantId": FABRIKAM, "credentials": None},
    "principal": {"target": "None"},
    "verification": {"enabled": False},
}
ACS = "https://accounts.accesscontrol.windows.net/metadata/json/1/?realm="


def cmdlets(outside: Lab) -> list[str]:
    return [change.cmdlet for change in outside.organization.changes]


def inside(**spec: Any) -> Lab:
    return lab({**copy.deepcopy(INSIDE), **spec})


@pytest.mark.parametrize("url", [f"{ACS}contoso.com", f"{ACS}{CONTOSO}"])
def test_trust_cannot_be_pointed_at_another_tenant_without_a_look(url: str) -> None:
    outside = inside(authServer={"metadataUrl": url})
    outside.operator().run()
    assert "New-AuthServer" not in cmdlets(outside)
    assert outside.condition("AuthServerReady")[0] != "True"


def test_another_tenants_domain_gets_neither_trust_nor_pushes() -> None:
    outside = inside()
    outside.resource["spec"]["tenant"]["domain"] = "contoso.com"
    outside.operator().run()
    assert outside.condition("Stalled") == ("True", "NotAllowedByPolicy")
    assert cmdlets(outside) == []


def test_pushes_are_not_sent_in_another_organisations_name() -> None:
    outside = lab({"proxy": {"organization": "contoso.com"}})
    outside.operator().run()
    assert outside.condition("Stalled") == ("True", "TenantMismatch")
    assert cmdlets(outside) == []


def test_another_domain_of_the_same_tenant_may_be_the_organization() -> None:
    outside = lab({"proxy": {"organization": "fabrikam.onmicrosoft.com"}})
    outside.operator().run()
    assert outside.exchange()["proxy"]["organization"] == "fabrikam.onmicrosoft.com"


def test_a_document_that_names_no_tenant_confirms_nothing() -> None:
    document = "https://login.microsoftonline.com/contoso.com/v2.0/.well-known/openid-configuration"
    outside = lab({"tenant": {"tenantId": FABRIKAM}, "authServer": {"metadataUrl": document}})
    outside.operator().run()
    assert "New-AuthServer" not in cmdlets(outside)


class Blind:
    """A Graph that leaves the key credentials out, or answers them as null."""

    def __init__(self, graph: Graph, keys: Mapping[str, Any]) -> None:
        self._graph, self._keys = graph, keys
        self.identity = graph.identity

    def send(self, request: GraphRequest) -> Mapping[str, Any]:
        answer = dict(self._graph.send(request))
        answer.pop("keyCredentials", None)
        return {**answer, **self._keys}


@pytest.mark.parametrize("keys", [{}, {"keyCredentials": None}], ids=["left out", "null"])
def test_a_list_of_keys_that_is_not_there_is_not_an_empty_one(keys: dict[str, Any]) -> None:
    outside = lab()
    before = outside.key_credentials()
    operator = outside.operator()
    open_graph = operator.world.graph

    def blind(access: GraphAccess) -> Graph:
        return Blind(open_graph(access), keys)

    world = World(
        secrets=outside,
        accounts=outside,
        exchange=operator.world.exchange,
        graph=blind,
        metadata=operator.world.metadata,
        policy=operator.world.policy,
        clock=outside.clock,
    )
    for _ in range(2):
        outcome = reconcile(outside.resource, lambda _: (), world, Memory())
        outside.write_status(outcome.status)
    assert outside.condition("PrincipalCredentialReady") == ("Unknown", "NotObserved")
    assert outside.key_credentials() == before


def test_a_certificate_that_somebody_assigns_meanwhile_is_not_replaced() -> None:
    outside = lab(auth_certificate=False)
    theirs = add_auth_certificate(outside.organization, servers=("ex2",))
    mine = add_auth_certificate(outside.organization)
    outside.edit({"certificate": {"thumbprint": mine}})
    operator = outside.operator()
    operator.step()

    def meanwhile(_server: str, batch: tuple[Cmdlet, ...], changes: bool) -> None:  # noqa: FBT001 - a hook of the lab
        asked = {look.name for look in batch}
        if not changes and "Get-OrganizationConfig" in asked:
            outside.organization.view().put(AuthConfig(current=theirs))

    operator.exchange.after = meanwhile  # type: ignore[assignment]  # a tuple is a sequence
    operator.step()
    assert outside.exchange()["authConfig"]["current"] == theirs
    assert "Set-AuthConfig" not in cmdlets(outside)


def test_an_assignment_that_has_not_reached_every_server_is_waited_for() -> None:
    outside = lab(auth_certificate=False)
    theirs = add_auth_certificate(outside.organization)
    set_fault(outside.organization, "replication_lag_seconds", 900)
    ex2 = outside.organization.server("ex2.corp.fabrikam.com")
    outside.organization.view(ex2.fqdn).put(AuthConfig(current=theirs))
    operator = outside.operator()
    for _ in range(4):
        operator.step()
        outside.clock.forward(seconds=30)
    assert not {"New-ExchangeCertificate", "Set-AuthConfig"} & set(cmdlets(outside))
    outside.clock.forward(minutes=20)
    operator.run()
    assert outside.exchange()["authConfig"]["current"] == theirs


def test_who_waited_for_the_organisation_looks_again_before_it_writes() -> None:
    outside = lab(auth_certificate=False)
    outside.operator().step()  # the organisation is known
    operator = outside.operator()
    entered, go_on = threading.Event(), threading.Event()
    name = f"organization/{outside.status['organizationId']}"

    def hold() -> None:
        with operator.world.locks.of(name).hold(0.0):
            entered.set()
            go_on.wait(10)
            Operator(outside).run()  # the other resource's pass, in full

    other = threading.Thread(target=hold)
    other.start()
    entered.wait(10)
    asked = operator.exchange.after

    def release(server: str, batch: Any, changes: bool) -> None:  # noqa: FBT001 - a hook of the lab
        asked(server, batch, changes)
        go_on.set()

    operator.exchange.after = release
    operator.step()
    other.join(10)
    assert cmdlets(outside).count("New-ExchangeCertificate") == 1


def test_every_status_fits_the_schema() -> None:
    outside = lab()
    for number in range(3, 64):
        add_server(outside.organization, f"SERVER-WITH-A-LONG-NAME-{number:03d}")
    outside.resource["metadata"]["annotations"] = {
        "exchangepush.dev/reconcile-requested-at": "x" * 3000
    }
    outside.operator().run()
    too_long = list(violations(outside.status, schema()["properties"]["status"], "status"))
    assert too_long == []
    assert outside.condition("CertificateReady")[0] != ""


def violations(value: Any, part: Mapping[str, Any], where: str) -> list[str]:
    """Texts and lists that are longer than the schema allows."""
    found: list[str] = []
    if isinstance(value, str) and len(value) > part.get("maxLength", len(value)):
        found.append(where)
    if isinstance(value, list):
        if len(value) > part.get("maxItems", len(value)):
            found.append(where)
        found += [w for item in value for w in violations(item, part["items"], where)]
    if isinstance(value, dict):
        for key, item in value.items():
            found += violations(item, part["properties"][key], f"{where}.{key}")
    return found


@pytest.mark.parametrize(
    ("cmdlet", "change"),
    [
        ("Get-AuthConfig", {"CurrentCertificateThumbprint": ...}),
        ("Get-AuthConfig", {"ServiceName": None}),
        ("Get-AuthServer", {"Realm": ...}),
        ("Get-ExchangeServer", {"AdminDisplayVersion": None}),
        ("Get-LocalCertificate", {"RawData": "no base64"}),
        ("Get-LocalExchangeServer", {"HealthManagerStartedUTC": "some day"}),
        ("Get-ServerComponentState", {"State": ...}),
        ("Enable-PushNotificationProxy", {"Uri": "https://[bad"}),
        ("Get-PartnerApplication", {"ApplicationIdentifier": ...}),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_an_odd_answer_is_not_observed_and_nothing_rests_on_it(
    cmdlet: str, change: dict[str, Any]
) -> None:
    outside = lab(auth_certificate=False)
    outside.administrator("New-AuthServer", Name="X", AuthMetadataUrl=f"{ACS}contoso.com")
    made = len(cmdlets(outside))
    operator = outside.operator()
    run = operator.exchange.run

    def odd(server: str, batch: Any, *, changes: bool = False) -> Any:
        answers = run(server, batch, changes=changes)
        return tuple(
            replaced(answer, change) if look.name == cmdlet else answer
            for look, answer in zip(batch, answers, strict=False)
        )

    operator.exchange.run = odd  # type: ignore[method-assign]  # an odd server
    operator.run()
    assert outside.condition("Ready")[0] in ("False", "Unknown")
    if cmdlet in ("Get-AuthConfig", "Get-ExchangeServer", "Get-LocalCertificate"):
        assert not {"New-ExchangeCertificate", "Set-AuthConfig"} & set(cmdlets(outside)[made:])


def replaced(answer: Any, change: Mapping[str, Any]) -> Any:
    """The answer with properties changed; ``...`` leaves one out."""
    rows = []
    for row in answer.rows:
        new = {**row, **change}
        rows.append({key: value for key, value in new.items() if value is not ...})
    return type(answer)(tuple(rows), answer.error)


def test_a_change_that_is_seen_a_pass_later_is_told() -> None:
    outside = lab()
    operator = outside.operator()
    operator.step()
    down = [False]

    def lose(_server: str, _batch: Any, changes: bool) -> None:  # noqa: FBT001 - a hook of the lab
        if changes and not down[0]:
            down[0] = True
            set_fault(outside.organization, "down", value=True)

    operator.exchange.after = lose
    outcome = operator.step()
    assert "AuthServerCreated" in [event.reason for event in outcome.events]
    assert any(text.startswith("New-AuthServer") for text in outcome.changes)


def test_a_clock_that_is_set_back_does_not_hold_changes_up() -> None:
    outside = lab()
    operator = outside.operator()
    operator.run()
    outside.clock.now -= timedelta(days=1)
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    operator.run()
    assert outside.exchange()["proxy"]["enabled"] is True


def test_peers_are_asked_before_anybody_waits() -> None:
    outside = lab()
    outside.operator().step()
    outside.peers = [OLDER]
    operator = outside.operator()
    lock = operator.world.locks.of(f"organization/{outside.status['organizationId']}")
    with lock.hold(0.0):
        operator.step()  # would wait for minutes
    assert outside.condition("Stalled") == ("True", "ConflictingConfig")
