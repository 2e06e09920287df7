"""What Microsoft Graph's errors mean for a write of key credentials, and who has to act."""

from __future__ import annotations

import pytest

from answers import FABRIKAM, NOW, config, days, dedicated_config, entry
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import (
    GraphFailed,
    PushError,
    Refused,
    Throttled,
    Unreachable,
)
from exchange_push_operator.core.key_credentials import KeyCredential, read_credentials
from exchange_push_operator.core.ports import Identity
from exchange_push_operator.core.reasons import Reason
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
WRITER = Identity(FABRIKAM, frozenset({"Application.ReadWrite.All"}))
OWNER = Identity(FABRIKAM, frozenset({"Application.ReadWrite.OwnedBy"}))
READER = Identity(FABRIKAM, frozenset({"Application.Read.All"}))
KEYS = read_credentials({"keyCredentials": [entry(keyId="gone", endDateTime=days(-1)), entry()]})


def refused(
    asked: PushConfig,
    status: int,
    codes: tuple[str, ...] = (),
    identity: Identity = WRITER,
    entries: tuple[KeyCredential, ...] = (),
) -> PushError:
    error = GraphFailed("words of Graph", status=status, codes=codes)
    return refused_write(asked, error, identity, entries, NOW)


@pytest.mark.parametrize(
    ("status", "codes", "reason"),
    [
        (403, ("Authorization_RequestDenied",), "PrincipalLocked"),
        (403, (), "PrincipalLocked"),
        (400, ("Request_BadRequest", LOCKED), "PrincipalLocked"),
        (400, (f"{LOCKED}WithEnforcementScope",), "PrincipalLocked"),
        (403, (LOCKED,), "PrincipalLocked"),
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
    found = refused(asked, status, codes)
    assert isinstance(found, Refused)
    assert found.reason.value == reason
    assert "words of Graph" not in str(found)


@pytest.mark.parametrize(
    ("asked", "cure"),
    [(FIRST_PARTY, "spec.principal.target DedicatedApplication"), (DEDICATED, "unlock")],
    ids=["first-party", "dedicated"],
)
def test_the_cure_of_a_lock_depends_on_whose_principal_it_is(asked: PushConfig, cure: str) -> None:
    assert cure in str(refused(asked, 403))


def test_a_lock_that_stops_everybody_is_not_said_to_let_a_person_through() -> None:
    said = str(refused(FIRST_PARTY, 400, (LOCKED,)))
    assert "unlock its properties first (servicePrincipalLockConfiguration)" in said
    assert "by hand" not in said
    assert "add the key by hand" in str(refused(FIRST_PARTY, 403))


@pytest.mark.parametrize(
    ("asked", "kind"), [(FIRST_PARTY, "sp"), (DEDICATED, "app")], ids=["first-party", "dedicated"]
)
def test_a_full_principal_is_told_with_the_command_that_makes_room(
    asked: PushConfig, kind: str
) -> None:
    command = f"az ad {kind} credential delete --id {asked.app_id} --cert --key-id <id>, with "
    full = ("Directory_ResourceSizeExceeded",)
    assert f"{command}gone, which have expired" in str(refused(asked, 400, full, entries=KEYS))
    living = tuple(key for key in KEYS if not key.expired(NOW))
    alive = str(refused(asked, 400, full, entries=living))
    assert f"{command}one that nobody needs" in alive
    assert f"az ad {kind} credential list --id {asked.app_id} --cert" in alive


@pytest.mark.parametrize(
    ("asked", "identity", "cure"),
    [
        (FIRST_PARTY, READER, "grant it Application.ReadWrite.All"),
        (FIRST_PARTY, OWNER, "grant it Application.ReadWrite.All"),
        (DEDICATED, READER, "grant it Application.ReadWrite.OwnedBy"),
        (DEDICATED, OWNER, "add its service principal to the owners"),
    ],
    ids=["lost, first-party", "too little, first-party", "lost, dedicated", "no owner"],
)
def test_a_missing_permission_is_not_a_lock(
    asked: PushConfig, identity: Identity, cure: str
) -> None:
    found = refused(asked, 403, ("Authorization_RequestDenied",), identity)
    assert isinstance(found, Refused)
    assert found.reason is Reason.ACCESS_DENIED
    assert cure in str(found)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("CredentialTypeNotAllowedAsPerAppPolicy", "forbids this key"),
        ("CredentialInvalidLifetimeAsPerAppPolicy", "live as long as this certificate"),
    ],
)
def test_a_policy_of_the_tenant_is_told_by_its_own_code(code: str, words: str) -> None:
    text = str(refused(FIRST_PARTY, 400, ("Request_BadRequest", code)))
    assert code in text
    assert words in text


@pytest.mark.parametrize(
    ("asked", "kind"), [(FIRST_PARTY, "sp"), (DEDICATED, "app")], ids=["first-party", "dedicated"]
)
def test_expired_keys_that_stop_every_write_are_named_with_the_command(
    asked: PushConfig, kind: str
) -> None:
    found = refused(asked, 400, ("KeyCredentialsInvalidEndDate",), entries=KEYS)
    assert isinstance(found, Refused)
    assert found.reason is Reason.EXPIRED_FOREIGN_KEYS
    command = f"az ad {kind} credential delete --id {asked.app_id} --cert --key-id <id>"
    assert f"{command}, with gone" in str(found)


def test_a_conflict_is_waited_for() -> None:
    assert isinstance(refused(FIRST_PARTY, 409, ("Directory_ConcurrencyViolation",)), Throttled)


def test_a_key_that_is_there_and_not_shown_is_looked_for_again() -> None:
    assert isinstance(
        refused(FIRST_PARTY, 400, ("Request_BadRequest", "KeyNotUpdatable")), Unreachable
    )


@pytest.mark.parametrize(
    ("status", "codes"),
    [(400, ("Request_BadRequest",)), (404, ("Request_ResourceNotFound",))],
)
def test_what_is_not_known_stays_as_graph_said_it(status: int, codes: tuple[str, ...]) -> None:
    assert str(refused(FIRST_PARTY, status, codes)) == "words of Graph"
