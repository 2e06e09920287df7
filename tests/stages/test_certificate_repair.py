"""A certificate that AuthConfig names and a server lacks is imported there from one that has it."""

from __future__ import annotations

from typing import Any

import pytest

from answers import (
    AUTH,
    EX1,
    EX2,
    EX3,
    NEXT,
    TRANSPORT,
    Said,
    advised,
    auth_config,
    certificate,
    component,
    config,
    held,
    local,
    missing,
    plan_of,
    seen,
    server,
    told,
)
from exchange_push_operator.core.certificate_store import LOCAL_CERTIFICATES, certificates_on
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.organization import (
    AUTH_CONFIG,
    EXCHANGE_SERVERS,
    LOCAL_SERVER,
    component_states,
)
from exchange_push_operator.core.x509 import Certificate
from exchange_push_operator.stages.certificate import STAGE

NAMES = [{"name": name} for name in (EX1, EX2, EX3)]
ASKED = config({"exchange": {"servers": NAMES}})
MINUTES_AGO = "2026-11-21T08:50:00.0000000Z"
Store = list[dict[str, Any]]


def lacking(
    second: Store, third: Store, *, first: Store | None = None, **of_auth_config: Any
) -> Observations:
    """Three listed servers with these Auth certificates in their stores."""
    stores = {EX1: [held(AUTH)] if first is None else first, EX2: second, EX3: third}
    return seen(
        ASKED,
        organization={AUTH_CONFIG: [auth_config(**of_auth_config)]},
        servers={
            name: {LOCAL_CERTIFICATES: [*store, held(TRANSPORT)]} for name, store in stores.items()
        },
    )


def copy(to: str, of: Certificate = AUTH) -> str:
    return f"Copy-ExchangeCertificate -Thumbprint '{of.thumbprint}' -Server '{to}'"


def test_it_is_imported_on_one_server_after_another() -> None:
    plan = plan_of(STAGE, ASKED, lacking([], []))
    assert told(plan) == ("False", "PrivateKeyMissing", (copy(EX2), copy(EX3)))
    assert plan.finding.message.startswith(f"{EX2}, {EX3}: without the private key")
    assert [step.server for step in plan.steps] == [EX1, EX1]
    assert told(plan_of(STAGE, ASKED, lacking([held(AUTH)], [])))[2] == (copy(EX3),)
    assert told(plan_of(STAGE, ASKED, lacking([held(AUTH)], [held(AUTH)])))[0] == "True"


def test_it_comes_after_all_other_changes() -> None:
    step, _ = plan_of(STAGE, ASKED, lacking([], [])).steps
    assert step.alone


def test_it_is_taken_from_a_server_that_has_the_key() -> None:
    observed = lacking([held(AUTH)], [], first=[held(AUTH, key=False)])
    (step,) = plan_of(STAGE, ASKED, observed).steps
    assert (step.server, step.text) == (EX2, copy(EX3))


@pytest.mark.parametrize(
    "observed",
    [
        lacking([held(AUTH, key=False)], [held(AUTH)]),
        lacking([], [held(AUTH, key=False)], first=[held(AUTH, key=False)]),
    ],
    ids=["is there without its key", "is nowhere with its key"],
)
def test_a_person_has_to_mend_where_a_certificate(observed: Observations) -> None:
    plan = plan_of(STAGE, ASKED, observed)
    assert told(plan) == ("False", "PrivateKeyMissing", ())
    assert "Import-ExchangeCertificate" in plan.finding.message


def test_exchange_is_given_time_to_hand_the_key_out_by_itself() -> None:
    plan = plan_of(STAGE, ASKED, lacking([], [], WhenChangedUTC=MINUTES_AGO))
    assert told(plan) == ("Unknown", "Settling", ())


@pytest.mark.parametrize(
    ("clock", "reason"),
    [("2026-11-21T09:04:59Z", "Settling"), ("2026-11-21T09:05:00Z", "PrivateKeyMissing")],
)
def test_that_time_is_by_the_servers_own_clocks(clock: str, reason: str) -> None:
    observed = seen(
        organization={AUTH_CONFIG: [auth_config(WhenChangedUTC=MINUTES_AGO)]},
        servers={
            EX1: {LOCAL_SERVER: [local(EX1, TimeUTC=clock)]},
            EX2: {LOCAL_SERVER: [local(EX2, TimeUTC=clock)], LOCAL_CERTIFICATES: []},
        },
    )
    assert told(plan_of(STAGE, config(), observed))[1] == reason


@pytest.mark.parametrize("clock", ["TimeUTC", "WhenChangedUTC"])
def test_a_time_that_cannot_be_read_is_not_waited_for(clock: str) -> None:
    observed = seen(
        organization={AUTH_CONFIG: [auth_config(**{clock: None})]},
        servers={
            EX1: {LOCAL_SERVER: [local(EX1, **{clock: None})]},
            EX2: {LOCAL_SERVER: [local(EX2, **{clock: None})], LOCAL_CERTIFICATES: []},
        },
    )
    assert told(plan_of(STAGE, config(), observed)) == ("False", "PrivateKeyMissing", (copy(EX2),))


def resting(name: str, store: Store) -> dict[Cmdlet, Said]:
    return {component_states(name): [component(state="Inactive")], LOCAL_CERTIFICATES: store}


def test_a_server_in_maintenance_is_not_written_to_and_does_not_count() -> None:
    plan = plan_of(STAGE, config(), seen(servers={EX2: resting(EX2, [])}))
    assert told(plan) == ("True", "Valid", ())


def test_nothing_is_taken_from_a_server_in_maintenance() -> None:
    servers: dict[str, dict[Cmdlet, Said]] = {
        EX1: resting(EX1, [held(AUTH)]),
        EX2: {LOCAL_CERTIFICATES: []},
    }
    plan = plan_of(STAGE, config(), seen(servers=servers))
    assert told(plan) == ("False", "PrivateKeyMissing", ())


def test_a_server_that_is_away_stops_no_repair() -> None:
    asked = seen(
        ASKED,
        servers={EX1: {LOCAL_CERTIFICATES: [held(AUTH)]}, EX2: {LOCAL_CERTIFICATES: []}},
        away=[EX3],
    )
    assert told(plan_of(STAGE, ASKED, asked)) == ("False", "PrivateKeyMissing", (copy(EX2),))


def test_an_unlisted_server_is_told_of_and_not_written_to() -> None:
    organization: dict[Cmdlet, Said] = {
        EXCHANGE_SERVERS: [server(EX1), server(EX2), server(EX3)],
        certificates_on(EX3, AUTH.thumbprint): missing(),
    }
    plan = plan_of(STAGE, config(), seen(organization=organization))
    assert told(plan) == ("False", "PrivateKeyMissing", ())
    assert "listed servers only" in plan.finding.message


def test_an_expired_certificate_is_not_copied() -> None:
    old = certificate(5, begins=-400, ends=-1)
    observed = lacking([], [], first=[held(old)], current=old.thumbprint)
    assert told(plan_of(STAGE, ASKED, observed)) == ("False", "Expired", ())


def staged(second: Store) -> Observations:
    return seen(
        organization={AUTH_CONFIG: [auth_config(NextCertificateThumbprint=NEXT.thumbprint)]},
        servers={
            EX1: {LOCAL_CERTIFICATES: [held(AUTH), held(NEXT)]},
            EX2: {LOCAL_CERTIFICATES: [held(AUTH), *second]},
        },
    )


def test_the_staged_next_certificate_is_imported_as_well() -> None:
    plan = plan_of(STAGE, config(), staged([]))
    assert told(plan) == ("False", "PrivateKeyMissing", (copy(EX2, NEXT),))


def test_a_next_certificate_that_only_a_person_can_mend_is_an_advisory_for_it_is_not_due() -> None:
    plan = plan_of(STAGE, config(), staged([held(NEXT, key=False)]))
    assert told(plan) == ("True", "Valid", ())
    assert advised(plan) == {"NextKeyMissing"}


def test_an_unlisted_server_is_asked_for_the_next_certificate_too() -> None:
    organization: dict[Cmdlet, Said] = {
        EXCHANGE_SERVERS: [server(EX1), server(EX2), server(EX3)],
        AUTH_CONFIG: [auth_config(NextCertificateThumbprint=NEXT.thumbprint)],
    }
    more = STAGE.more(config(), seen(organization=organization)).organization
    assert more == (certificates_on(EX3, AUTH.thumbprint), certificates_on(EX3, NEXT.thumbprint))
