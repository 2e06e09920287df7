"""Principal credential: Entra ID knows the public half; nobody else's key is ever lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from answers import (
    AUTH,
    DEDICATED,
    EX1,
    EX2,
    FABRIKAM,
    NEXT,
    NOW,
    OBJECT,
    ORGANIZATION_ID,
    TRANSPORT,
    Said,
    advised,
    auth_config,
    base64_of,
    body,
    certificate,
    config,
    days,
    dedicated_config,
    entry,
    held,
    missing,
    plan_of,
    seen,
    told,
)
from exchange_push_operator.core.certificate_store import LOCAL_CERTIFICATES
from exchange_push_operator.core.commands import Cmdlet, GraphRequest
from exchange_push_operator.core.errors import (
    CmdletFailed,
    GraphFailed,
    PushError,
    Refused,
    Unreachable,
)
from exchange_push_operator.core.key_credentials import own_key_id, own_key_ids
from exchange_push_operator.core.organization import (
    AUTH_CONFIG,
    ORGANIZATION_CONFIG,
)
from exchange_push_operator.core.plan import Step
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.stages.principal_credential import STAGE

FOREIGN = certificate(20, subject="somebody else")
FOREIGN_ID = "ffffffff-0000-4000-8000-000000000001"
OURS = own_key_id(ORGANIZATION_ID, AUTH, 0)
UP_TO_DATE = ("True", "UpToDate", ())
NO_TARGET = config({"tenant": {"tenantId": FABRIKAM}, "principal": {"target": "None"}})
DROPPING = config({"principal": {"dropExpiredKeys": True}})
STORES = {name: {LOCAL_CERTIFICATES: [held(AUTH), held(NEXT)]} for name in (EX1, EX2)}
STAGED: Mapping[Cmdlet, Said] = {
    AUTH_CONFIG: [auth_config(NextCertificateThumbprint=NEXT.thumbprint)]
}


def other(**changes: Any) -> dict[str, Any]:
    return entry(FOREIGN, keyId=FOREIGN_ID, displayName="theirs", **changes)


def added(step: Step) -> list[str]:
    return [e["keyId"] for e in body(step.command) if "key" in e]


@pytest.mark.parametrize(
    ("ahead", "expected"), [(1.1, ("True", "UpToDate")), (0.9, ("False", "KeyMissing"))]
)
def test_a_next_key_that_is_missing_is_a_failure_only_right_before_its_date(
    ahead: float, expected: tuple[str, str]
) -> None:
    staged = auth_config(
        NextCertificateThumbprint=NEXT.thumbprint, NextCertificateEffectiveDate=days(ahead)
    )
    observed = seen(organization={AUTH_CONFIG: [staged]}, servers=STORES, keys=[entry()])
    plan = plan_of(STAGE, config(), observed)
    assert (plan.finding.status, str(plan.finding.reason)) == expected
    assert NEXT.thumbprint in plan.finding.message
    assert [step.event for step in plan.steps] == ["KeyCredentialAdded"]


@pytest.mark.parametrize(
    "key",
    [
        entry(),
        entry(key=None),
        entry(key=None, customKeyIdentifier=AUTH.thumbprint.lower()),
        entry(key=None, customKeyIdentifier=base64_of(AUTH.thumbprint)),
        entry(customKeyIdentifier="anything"),
        entry(endDateTime=None),
        entry(keyId=OURS),
    ],
    ids=[
        "by its content",
        "by its thumbprint where the content is not given out",
        "by its thumbprint in small letters",
        "by its thumbprint in base64",
        "by its content whatever it is called",
        "without an end",
        "made by us",
    ],
)
def test_a_key_of_the_current_certificate_is_recognised(key: dict[str, Any]) -> None:
    plan = plan_of(STAGE, config(), seen(keys=[other(), key]))
    assert told(plan) == UP_TO_DATE


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (entry(FOREIGN, customKeyIdentifier=AUTH.thumbprint), Reason.KEY_MISSING),
        (entry(usage="Sign"), Reason.KEY_MISSING),
        (entry(type="X509CertAndPassword"), Reason.KEY_MISSING),
        (entry(endDateTime=days(-1)), Reason.EXPIRED),
        (entry(endDateTime=days(0)), Reason.EXPIRED),
        (entry(startDateTime=days(1)), Reason.EXPIRED),
        (entry(key=None, customKeyIdentifier=None), Reason.KEY_MISSING),
        (entry(key=None, customKeyIdentifier="not a thumbprint"), Reason.KEY_MISSING),
    ],
    ids=[
        "one that only bears its name",
        "one for signing",
        "one of another type",
        "one that has expired",
        "one that expires this moment",
        "one that is not valid before tomorrow",
        "one that cannot be told",
        "one of an odd name",
    ],
)
def test_a_key_that_does_not_verify_the_current_certificate(
    key: dict[str, Any], reason: Reason
) -> None:
    plan = plan_of(STAGE, config(), seen(keys=[key]))
    assert (plan.finding.status, plan.finding.reason) == ("False", reason)
    (step,) = plan.steps
    assert added(step) == [OURS]


def test_a_missing_key_is_added_and_every_other_goes_along_without_its_content() -> None:
    plan = plan_of(STAGE, config(), seen(keys=[other()]))
    text = f"PATCH /v1.0/servicePrincipals/{OBJECT}: add {AUTH.thumbprint}, keep 1 entry"
    assert told(plan) == ("False", "KeyMissing", (text,))
    (step,) = plan.steps
    kept = {key: value for key, value in other().items() if key != "key"}
    assert body(step.command) == [
        kept,
        {
            "type": "AsymmetricX509Cert",
            "usage": "Verify",
            "keyId": OURS,
            "key": AUTH.base64,
            "displayName": "Exchange Auth certificate (exchange-push-operator)",
            "startDateTime": "2026-10-22T09:00:00Z",
            "endDateTime": "2031-10-22T09:00:00Z",
        },
    ]
    assert step.fallbacks == ()
    assert step.guard is not None
    assert step.guard.may_go == frozenset()


def test_the_dedicated_application_has_its_keys_on_the_application_object() -> None:
    asked = dedicated_config()
    plan = plan_of(STAGE, asked, seen(asked))
    (step,) = plan.steps
    assert step.text.startswith(f"PATCH /v1.0/applications/{OBJECT}: ")
    assert step.target == DEDICATED
    assert advised(plan) == set()


def test_the_shared_principal_is_an_advisory() -> None:
    assert advised(plan_of(STAGE, config(), seen(keys=[entry()]))) == {"SharedPrincipalDeprecated"}


def test_current_and_next_are_wanted_whoever_staged_the_next() -> None:
    observed = seen(organization=STAGED, servers=STORES, keys=[other()])
    (step,) = plan_of(STAGE, config(), observed).steps
    assert added(step) == [OURS, own_key_id(ORGANIZATION_ID, NEXT, 0)]


def test_only_the_next_is_added_where_the_current_is_there() -> None:
    observed = seen(organization=STAGED, servers=STORES, keys=[entry()])
    (step,) = plan_of(STAGE, config(), observed).steps
    assert added(step) == [own_key_id(ORGANIZATION_ID, NEXT, 0)]


def test_a_certificate_that_is_current_and_next_is_added_once() -> None:
    twice: Mapping[Cmdlet, Said] = {
        AUTH_CONFIG: [auth_config(NextCertificateThumbprint=AUTH.thumbprint)]
    }
    (step,) = plan_of(STAGE, config(), seen(organization=twice)).steps
    assert added(step) == [OURS]


def expired(*, staged: str = "") -> Any:
    old = certificate(21, begins=-400, ends=-1)
    row = auth_config(old.thumbprint, NextCertificateThumbprint=staged)
    stores = {name: {LOCAL_CERTIFICATES: [held(old), held(NEXT)]} for name in (EX1, EX2)}
    return seen(organization={AUTH_CONFIG: [row]}, servers=stores, keys=[other()])


def test_the_key_of_an_expired_certificate_is_not_added() -> None:
    assert told(plan_of(STAGE, config(), expired())) == ("False", "Expired", ())


def test_the_key_of_the_next_is_added_although_the_current_has_expired() -> None:
    (step,) = plan_of(STAGE, config(), expired(staged=NEXT.thumbprint)).steps
    assert added(step) == [own_key_id(ORGANIZATION_ID, NEXT, 0)]


def test_a_successor_of_our_key_has_another_id() -> None:
    observed = seen(keys=[entry(keyId=OURS.upper(), endDateTime=days(-1))])
    (step,) = plan_of(STAGE, config(), observed).steps
    assert added(step) == [own_key_id(ORGANIZATION_ID, AUTH, 1)]


def test_when_every_id_of_ours_is_taken_the_last_is_tried() -> None:
    ids = own_key_ids(ORGANIZATION_ID, AUTH)
    spent = [entry(keyId=key_id, endDateTime=days(-1)) for key_id in ids]
    (step,) = plan_of(STAGE, config(), seen(keys=spent)).steps
    assert added(step) == [ids[-1]]


@pytest.mark.parametrize(
    "named", [None, NEXT.thumbprint], ids=["names none and none would do", "names an unseen one"]
)
def test_nothing_is_compared_where_auth_config(named: str | None) -> None:
    stores = {name: {LOCAL_CERTIFICATES: [held(TRANSPORT, name="")]} for name in (EX1, EX2)}
    row = auth_config(named)
    observed = seen(organization={AUTH_CONFIG: [row]}, servers=stores, keys=[other()])
    assert told(plan_of(STAGE, config(), observed)) == ("Unknown", "WaitsForCertificate", ())


def test_a_next_certificate_is_not_taken_for_a_current_one_that_is_unseen() -> None:
    row = auth_config("C" * 40, NextCertificateThumbprint=AUTH.thumbprint)
    asked = config()
    observed = STAGE.observe(asked, seen(organization={AUTH_CONFIG: [row]}, keys=[entry()]))
    assert told(STAGE.plan(asked, observed, NOW)) == ("Unknown", "WaitsForCertificate", ())
    assert observed is not None
    assert observed.current is None


GONE = entry(FOREIGN, keyId=FOREIGN_ID, displayName="theirs", endDateTime=days(-1))
ALIVE = entry(certificate(22), keyId="ffffffff-0000-4000-8000-000000000002")


def ids(request: object) -> list[str]:
    return [raw["keyId"] for raw in body(request)]


def test_a_write_that_is_refused_for_an_expired_key_is_tried_without_its_dates() -> None:
    (step,) = plan_of(STAGE, config(), seen(keys=[GONE, ALIVE])).steps
    (again,) = step.fallbacks
    assert ids(again) == ids(step.command)
    sent = {raw["keyId"]: set(raw) for raw in body(again)}
    assert sent[FOREIGN_ID] == set(GONE) - {"key", "startDateTime", "endDateTime"}
    assert sent[ALIVE["keyId"]] == set(ALIVE) - {"key"}


def test_expired_foreign_keys_are_left_out_at_last_and_by_wish_alone() -> None:
    (step,) = plan_of(STAGE, DROPPING, seen(DROPPING, keys=[GONE, ALIVE])).steps
    assert step.guard is not None
    assert step.guard.may_go == frozenset()
    assert step.guard.at_last == {FOREIGN_ID}
    assert [FOREIGN_ID in ids(form) for form in (step.command, *step.fallbacks)] == [
        True,
        True,
        False,
    ]
    assert ALIVE["keyId"] in ids(step.fallbacks[-1])


def test_our_own_expired_key_may_be_left_out_without_asking() -> None:
    ours = entry(keyId=OURS, endDateTime=days(-1))
    (step,) = plan_of(STAGE, config(), seen(keys=[ours, GONE])).steps
    assert [ids(form).count(OURS) for form in (step.command, *step.fallbacks)] == [1, 1, 0]
    assert all(FOREIGN_ID in ids(form) for form in step.fallbacks)
    assert step.guard is not None
    assert step.guard.at_last == {OURS}


@pytest.mark.parametrize(
    ("asked", "cure"),
    [(config(), "enroll the organization"), (dedicated_config(), "spec.principal.appId")],
    ids=["first-party", "dedicated"],
)
def test_a_principal_that_is_not_there(asked: Any, cure: str) -> None:
    plan = plan_of(STAGE, asked, seen(asked, keys=GraphFailed("gone", status=404)))
    assert told(plan) == ("False", "PrincipalNotFound", ())
    assert cure in plan.finding.message


def test_a_principal_that_may_not_be_read_is_a_matter_of_rights() -> None:
    with pytest.raises(Refused, match=r"Application\.Read\.All") as refused:
        STAGE.observe(config(), seen(keys=GraphFailed("no", status=403)))
    assert refused.value.reason is Reason.ACCESS_DENIED


@pytest.mark.parametrize(
    "error", [GraphFailed("odd", status=400), Unreachable("no route")], ids=["a 400", "no answer"]
)
def test_a_look_that_failed_is_not_an_empty_list(error: PushError) -> None:
    with pytest.raises(type(error)):
        STAGE.observe(config(), seen(keys=error))


@pytest.mark.parametrize(
    ("look", "said"),
    [(ORGANIZATION_CONFIG, missing()), (ORGANIZATION_CONFIG, []), (AUTH_CONFIG, missing())],
    ids=["the organisation", "its GUID", "AuthConfig"],
)
def test_nothing_is_planned_without(look: Cmdlet, said: Said) -> None:
    with pytest.raises(CmdletFailed):
        STAGE.observe(config(), seen(organization={look: said}))


def test_foreign_keys_are_an_advisory_by_their_thumbprints() -> None:
    nameless = entry(key=None, customKeyIdentifier=None, keyId="eeee")
    plan = plan_of(STAGE, config(), seen(keys=[other(), entry(), nameless]))
    messages = {a.type: a.message for a in plan.advisories}
    assert messages["ForeignKeys"].endswith(f": {FOREIGN.thumbprint}, eeee")


def test_a_key_that_entra_id_lets_end_earlier_is_an_advisory() -> None:
    plan = plan_of(STAGE, config(), seen(keys=[entry(endDateTime=days(300))]))
    assert told(plan) == UP_TO_DATE
    assert "KeyEndsBeforeCertificate" in advised(plan)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([days(10), days(300)], "2"),
        ([days(10), None], "2"),
        ([days(10), days(-1)], "1"),
        ([days(-1), days(-2)], None),
    ],
    ids=["ends last", "has no end", "is alive", "none is"],
)
def test_of_several_keys_of_the_current_certificate_the_one_is_shown_that(
    ends: list[str | None], expected: str | None
) -> None:
    keys = [entry(keyId=str(n), endDateTime=end) for n, end in enumerate(ends, start=1)]
    observed = STAGE.observe(config(), seen(keys=keys))
    assert observed is not None
    found = observed.lasting(AUTH, NOW)
    assert (found.key_id if found else None) == expected
    assert observed.foreign() == ()


def retired(observed: Any, asked: Any = None) -> tuple[Step, ...]:
    asked = asked or config()
    return STAGE.retire(asked, STAGE.observe(asked, observed), NOW).steps


OLD = certificate(23, begins=-900, ends=100)


def ours_of_old(**changes: Any) -> dict[str, Any]:
    return entry(OLD, keyId=own_key_id(ORGANIZATION_ID, OLD, 0), **changes)


def test_on_deletion_our_key_is_taken_back_and_every_other_stays() -> None:
    (step,) = retired(seen(keys=[other(), ours_of_old()]))
    assert [e["keyId"] for e in body(step.command)] == [FOREIGN_ID]
    assert step.text == (
        f"PATCH /v1.0/servicePrincipals/{OBJECT}: remove {OLD.thumbprint}, keep 1 entry"
    )
    assert step.guard is not None
    assert step.guard.may_go == {own_key_id(ORGANIZATION_ID, OLD, 0)}


@pytest.mark.parametrize(
    "role",
    ["CurrentCertificateThumbprint", "NextCertificateThumbprint", "PreviousCertificateThumbprint"],
)
def test_on_deletion_a_key_stays_whose_certificate_auth_config_names_as(role: str) -> None:
    named = seen(
        organization={AUTH_CONFIG: [auth_config(**{role: OLD.thumbprint})]}
        if role != "CurrentCertificateThumbprint"
        else {AUTH_CONFIG: [auth_config(OLD.thumbprint)]},
        keys=[ours_of_old()],
    )
    assert retired(named) == ()


@pytest.mark.parametrize(
    "keys",
    [[], [other()], [entry(OLD)], [ours_of_old(key=None)]],
    ids=[
        "no key",
        "foreign keys",
        "a key of our certificate by another",
        "one that cannot be told",
    ],
)
def test_on_deletion_nothing_is_taken_back_where_there_is(keys: list[dict[str, Any]]) -> None:
    assert retired(seen(keys=keys)) == ()


def test_on_deletion_a_principal_that_is_gone_needs_nothing() -> None:
    assert retired(seen(keys=GraphFailed("gone", status=404))) == ()


def test_without_a_target_nothing_is_asked_and_nothing_is_changed() -> None:
    assert STAGE.looks(NO_TARGET).graph == ()
    assert STAGE.looks(NO_TARGET).organization == ()
    plan = plan_of(STAGE, NO_TARGET, seen(NO_TARGET))
    assert told(plan) == ("True", "NotManaged", ())
    assert retired(seen(NO_TARGET), NO_TARGET) == ()


def test_the_principal_is_read_as_a_single_object_so_that_graph_gives_out_the_keys() -> None:
    (look,) = STAGE.looks(config()).graph
    assert look == GraphRequest(
        "GET",
        "servicePrincipals(appId='00000002-0000-0ff1-ce00-000000000000')"
        "?$select=id,appId,displayName,keyCredentials",
    )
    look, beside = STAGE.looks(dedicated_config()).graph
    assert look.path.startswith(f"applications(appId='{DEDICATED}')")
    assert (beside,) == STAGE.looks(config()).graph


@pytest.mark.parametrize("nameless", [other() | {"keyId": None}, {"displayName": "old"}])
def test_no_write_is_planned_over_an_entry_that_none_can_keep(nameless: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"holds keys without a keyId .*: remove them") as refused:
        plan_of(STAGE, config(), seen(keys=[nameless]))
    assert refused.value.reason is Reason.CHANGE_REFUSED
    assert "bug" not in str(refused.value)


def test_an_entry_without_an_id_does_no_harm_where_nothing_is_to_be_written() -> None:
    assert told(plan_of(STAGE, config(), seen(keys=[other() | {"keyId": None}, entry()]))) == (
        UP_TO_DATE
    )
