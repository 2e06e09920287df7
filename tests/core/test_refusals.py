"""What Microsoft Graph's errors mean for a write of key credentials, and who has to act."""

from __future__ import annotations

import pytest

from answers import FABRIKAM, config, dedicated_config
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import GraphFailed, Refused, Throttled
from exchange_push_operator.core.ports import Identity
from exchange_push_operator.core.refusals import may_write, refused_write

FIRST_PARTY, DEDICATED = config(), dedicated_config()


@pytest.mark.parametrize(
    ("asked", "role", "expected"),
    [
        (FIRST_PARTY, "Application.ReadWrite.All", True),
        (FIRST_PARTY, "Directory.ReadWrite.All", True),
        (FIRST_PARTY, "Application.ReadWrite.OwnedBy", False),
        (FIRST_PARTY, "Application.Read.All", False),
        (DEDICATED, "Application.ReadWrite.All", True),
        (DEDICATED, "Application.ReadWrite.OwnedBy", True),
        (DEDICATED, "Application.Read.All", False),
    ],
    ids=lambda value: value.target.value if isinstance(value, PushConfig) else str(value),
)
def test_who_may_write(asked: PushConfig, role: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert may_write(asked, Identity(FABRIKAM, frozenset({role, "Other"}))) is expected
    assert not may_write(asked, Identity(FABRIKAM, frozenset()))


LOCKED = "CannotUpdateLockedServicePrincipalProperty"


@pytest.mark.parametrize(
    ("status", "codes", "reason"),
    [
        (403, ("Authorization_RequestDenied",), "PrincipalLocked"),
        (403, (), "PrincipalLocked"),
        (400, ("Request_BadRequest", LOCKED), "PrincipalLocked"),
        (400, (f"{LOCKED}WithEnforcementScope",), "PrincipalLocked"),
        (400, ("CredentialTypeNotAllowedAsPerAppPolicy",), "BlockedByTenantPolicy"),
        (400, ("CredentialInvalidLifetimeAsPerAppPolicy",), "BlockedByTenantPolicy"),
        (400, ("Directory_ResourceSizeExceeded",), "TooManyKeys"),
        (400, ("Request_BadRequest", "KeyCredentialsInvalidEndDate"), "ChangeRefused"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, tuple) else str(value),
)
@pytest.mark.parametrize("asked", [FIRST_PARTY, DEDICATED], ids=["first-party", "dedicated"])
def test_a_write_that_a_person_must_make_possible(
    asked: PushConfig, status: int, codes: tuple[str, ...], reason: str
) -> None:
    found = refused_write(asked, GraphFailed("words of Graph", status=status, codes=codes))
    assert isinstance(found, Refused)
    assert found.reason.value == reason
    assert "words of Graph" not in str(found)


@pytest.mark.parametrize(
    ("asked", "cure"),
    [(FIRST_PARTY, "spec.principal.target DedicatedApplication"), (DEDICATED, "unlock")],
    ids=["first-party", "dedicated"],
)
def test_the_cure_of_a_lock_depends_on_whose_principal_it_is(asked: PushConfig, cure: str) -> None:
    assert cure in str(refused_write(asked, GraphFailed("", status=403)))


def test_a_conflict_is_waited_for() -> None:
    error = GraphFailed("", status=409, codes=("Directory_ConcurrencyViolation",))
    assert isinstance(refused_write(FIRST_PARTY, error), Throttled)


@pytest.mark.parametrize(
    ("status", "codes"),
    [(400, ("Request_BadRequest", "KeyNotUpdatable")), (404, ("Request_ResourceNotFound",))],
)
def test_what_is_not_known_stays_as_graph_said_it(status: int, codes: tuple[str, ...]) -> None:
    error = GraphFailed("words of Graph", status=status, codes=codes)
    assert refused_write(FIRST_PARTY, error) is error
