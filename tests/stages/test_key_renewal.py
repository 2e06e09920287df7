"""A key that Entra ID lets end before its certificate: another joins it, and takes its place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from answers import (
    AUTH,
    EX1,
    EX2,
    NEXT,
    NOW,
    ORGANIZATION_ID,
    Said,
    advised,
    auth_config,
    auth_server,
    beside,
    body,
    certificate,
    config,
    days,
    dedicated_config,
    entry,
    evo_sts,
    held,
    override,
    plan_of,
    seen,
    server,
    told,
)
from exchange_push_operator.core.certificate_store import LOCAL_CERTIFICATES
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import CmdletFailed, GraphFailed, Unreachable
from exchange_push_operator.core.key_credentials import own_key_ids
from exchange_push_operator.core.key_renewal import renew_before, start
from exchange_push_operator.core.organization import (
    AUTH_CONFIG,
    AUTH_SERVERS,
    EXCHANGE_SERVERS,
    SETTING_OVERRIDES,
)
from exchange_push_operator.core.plan import Plan
from exchange_push_operator.core.timestamps import utc_text
from exchange_push_operator.stages.principal_credential import STAGE

OLD = certificate(50, begins=-400)
FIRST, SECOND = own_key_ids(ORGANIZATION_ID, OLD)[:2]
SOON = renew_before(config()) - timedelta(minutes=1)
FOREIGN = {"keyId": "ffffffff-0000-4000-8000-000000000001", "displayName": "theirs"}


def plan(*keys: dict[str, Any]) -> Plan:
    """Of an organisation whose certificate has been in use for 400 days."""
    stores = {name: {LOCAL_CERTIFICATES: [held(OLD)]} for name in config().servers}
    current = {AUTH_CONFIG: [auth_config(OLD.thumbprint)]}
    return plan_of(STAGE, config(), seen(organization=current, servers=stores, keys=list(keys)))


def ours(key_id: str = FIRST, **changes: Any) -> dict[str, Any]:
    return entry(OLD, keyId=key_id, **changes)


def moment(left: timedelta) -> str:
    return utc_text(NOW + left)


def added(made: Plan) -> list[str]:
    return [raw["keyId"] for step in made.steps for raw in body(step.command) if "key" in raw]


@pytest.mark.parametrize(
    ("left", "renewed"),
    [(SOON, True), (renew_before(config()), False), (timedelta(days=1), True)],
    ids=["a minute before it has to", "when it has to not yet", "on its last day"],
)
def test_a_key_that_ends_early_gets_another_beside_it_in_time(
    left: timedelta,
    renewed: bool,  # noqa: FBT001 - a table
) -> None:
    made = plan(ours(endDateTime=moment(left)))
    assert (made.finding.status, made.finding.reason.value) == ("True", "UpToDate")
    assert added(made) == ([SECOND] if renewed else [])


def test_the_certificate_is_still_held_while_its_key_is_renewed() -> None:
    made = plan(ours(endDateTime=moment(SOON)))
    assert made.finding.status == "True"
    assert "another is to join it" in made.finding.message
    (step,) = made.steps
    assert [raw["keyId"] for raw in body(step.command)] == [FIRST, SECOND]


def test_a_key_that_ends_with_its_certificate_is_not_renewed() -> None:
    ending = certificate(51, begins=-400, ends=20)
    stores = {name: {LOCAL_CERTIFICATES: [held(ending)]} for name in config().servers}
    current = {AUTH_CONFIG: [auth_config(ending.thumbprint)]}
    for ends in (days(20), days(19.5), None):
        key = entry(ending, endDateTime=ends)
        observed = seen(organization=current, servers=stores, keys=[key])
        assert told(plan_of(STAGE, config(), observed)) == ("True", "UpToDate", ())


def test_a_foreign_key_that_ends_early_stays_and_gets_ours_beside_it() -> None:
    theirs = entry(OLD, **FOREIGN, endDateTime=moment(SOON))
    made = plan(theirs)
    assert added(made) == [FIRST]
    after = plan(theirs, ours(startDateTime=days(-10)))
    assert told(after) == ("True", "UpToDate", ())


def test_a_foreign_key_that_lasts_makes_another_of_ours_needless() -> None:
    made = plan(ours(endDateTime=moment(SOON)), entry(OLD, **FOREIGN))
    assert made.steps == ()


def test_the_next_certificate_gets_another_key_too() -> None:
    staged = {AUTH_CONFIG: [auth_config(NextCertificateThumbprint=OLD.thumbprint)]}
    stores = {name: {LOCAL_CERTIFICATES: [held(AUTH), held(OLD)]} for name in config().servers}
    keys = [entry(), ours(endDateTime=moment(SOON))]
    made = plan_of(STAGE, config(), seen(organization=staged, servers=stores, keys=keys))
    assert added(made) == [SECOND]


def test_the_old_key_goes_once_the_other_is_seen() -> None:
    theirs = entry(NEXT, **FOREIGN)
    made = plan(theirs, ours(endDateTime=moment(SOON)), ours(SECOND, startDateTime=days(-10)))
    (step,) = made.steps
    assert step.event == "KeyCredentialRemoved"
    assert {raw["keyId"] for raw in body(step.command)} == {FOREIGN["keyId"], SECOND}
    assert step.guard is not None
    assert step.guard.may_go == {FIRST}
    assert made.finding.status == "True"


@pytest.mark.parametrize(
    "second",
    [
        {"startDateTime": days(3)},
        {"endDateTime": days(-1)},
        {"key": None, "customKeyIdentifier": NEXT.thumbprint},
    ],
    ids=["not valid yet", "expired", "of which nothing is known"],
)
def test_the_old_key_stays_beside_one_that_is_of_no_use(second: dict[str, Any]) -> None:
    made = plan(ours(endDateTime=days(300)), ours(SECOND, **second))
    assert FIRST not in {key for step in made.steps if step.guard for key in step.guard.may_go}


def test_a_key_id_that_is_free_again_is_used_again() -> None:
    made = plan(ours(SECOND, endDateTime=moment(SOON)))
    assert added(made) == [FIRST]


def test_a_key_that_would_end_no_later_is_not_added() -> None:
    """Somebody has Entra ID store short lives: a few keys in a month, not one with every look."""
    short = {"startDateTime": utc_text(start(OLD, NOW)), "endDateTime": moment(SOON)}
    assert added(plan(ours(**short))) == [SECOND]
    assert plan(ours(**short), ours(SECOND, **short)).steps == ()


@pytest.mark.parametrize(("age", "begins"), [(0, 0), (30, 0), (31, 30), (60, 30), (400, 390)])
def test_a_key_begins_at_the_last_full_thirty_days_of_its_certificate(
    age: int, begins: int
) -> None:
    of = certificate(60 + age, begins=-age)
    assert start(of, NOW) - of.not_before == timedelta(days=begins)


# beside a dedicated application

DEDICATED = dedicated_config()


@pytest.mark.parametrize(
    ("key", "told_of"),
    [
        (entry(), True),
        (entry(key=None), True),
        (entry(OLD, keyId=FIRST), True),
        (entry(OLD, **FOREIGN), False),
    ],
    ids=["current", "current by its thumbprint", "made by us", "another organisation's"],
)
def test_a_key_of_the_organisation_on_the_shared_principal_is_an_advisory(
    key: dict[str, Any],
    told_of: bool,  # noqa: FBT001 - a table
) -> None:
    observed = beside(seen(DEDICATED, keys=[entry()]), [key])
    made = plan_of(STAGE, DEDICATED, observed)
    assert told(made) == ("True", "UpToDate", ())
    assert advised(made) == ({"KeyOnSharedPrincipal"} if told_of else set())


OLD_BUILD = "Version 15.0 (Build 1497.2)"
EX3 = "ex3.corp.fabrikam.com"
SWITCHED: Mapping[Cmdlet, Said] = {
    AUTH_SERVERS: [auth_server(), evo_sts(DEDICATED.app_id)],
    SETTING_OVERRIDES: [override()],
}


def advice_to_remove(organization: Mapping[Cmdlet, Said]) -> str:
    observed = seen(DEDICATED, organization=organization, keys=[entry()])
    made = plan_of(STAGE, DEDICATED, beside(observed, [entry()]))
    return next(a.message for a in made.advisories if a.type == "KeyOnSharedPrincipal")


@pytest.mark.parametrize(
    "lacks",
    [
        {SETTING_OVERRIDES: []},
        {AUTH_SERVERS: [auth_server(), evo_sts()]},
        {SETTING_OVERRIDES: CmdletFailed("odd")},
        {
            EXCHANGE_SERVERS: [
                server(name, AdminDisplayVersion=OLD_BUILD) for name in (EX1, EX2, EX3)
            ]
        },
    ],
    ids=["no override", "no application named", "not known", "a server that cannot"],
)
def test_a_key_that_exchange_may_still_sign_for_is_not_to_be_removed_yet(
    lacks: Mapping[Cmdlet, Said],
) -> None:
    said = advice_to_remove({**SWITCHED, **lacks})
    assert "; not yet: " in said
    assert said.index("not yet") < said.index("once it is switched over") < said.index("remove")


def test_a_key_that_exchange_does_not_sign_for_any_more_is_removed_once_the_new_way_is_proven() -> (
    None
):
    said = advice_to_remove(SWITCHED)
    assert "not yet" not in said
    assert "; once Ready is True, remove each with ConfigureExchange" in said


def test_a_shared_principal_that_may_not_be_read_is_an_advisory() -> None:
    denied = beside(seen(DEDICATED, keys=[entry()]), GraphFailed("no", status=403))
    assert advised(plan_of(STAGE, DEDICATED, denied)) == {"SharedPrincipalNotSeen"}


def test_a_tenant_without_the_shared_principal_has_no_key_on_it() -> None:
    absent = beside(seen(DEDICATED, keys=[entry()]), GraphFailed("none", status=404))
    assert advised(plan_of(STAGE, DEDICATED, absent)) == set()


@pytest.mark.parametrize("error", [GraphFailed("odd", status=400), Unreachable("no route")])
def test_a_shared_principal_that_did_not_answer_is_not_an_empty_one(error: Any) -> None:
    with pytest.raises(type(error)):
        plan_of(STAGE, DEDICATED, beside(seen(DEDICATED, keys=[entry()]), error))
