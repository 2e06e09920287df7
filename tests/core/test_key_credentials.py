"""Key credentials: matching, and the whole list that a PATCH must carry."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from answers import AUTH, NEXT, NOW, ORGANIZATION_ID, base64_of, certificate, days, entry
from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.errors import CmdletFailed, Refused
from exchange_push_operator.core.key_credentials import (
    KeyCredential,
    lost,
    new_entry,
    own_key_id,
    own_key_ids,
    read_credentials,
    retained,
    without_dates,
)
from exchange_push_operator.core.plan import Guard
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.safety import check_write, still_valid
from exchange_push_operator.core.x509 import Certificate

FUTURE = certificate(31, begins=10)
LOOK = GraphRequest("GET", "servicePrincipals/1")


def read(*raw: dict[str, Any]) -> tuple[KeyCredential, ...]:
    return read_credentials({"keyCredentials": list(raw)})


def pem_in_base64() -> str:
    """What Terraform stores: the base64 of the PEM, where the DER was meant."""
    pem = load_der_x509_certificate(AUTH.der).public_bytes(Encoding.PEM)
    return base64.b64encode(pem).decode()


def base64_of_sha256() -> str:
    return base64.b64encode(bytes.fromhex(AUTH.sha256)).decode()


def url_safe(text: str) -> str:
    return text.replace("+", "-").replace("/", "_").rstrip("=")


@pytest.mark.parametrize(
    ("spelling", "known"),
    [
        (AUTH.thumbprint, True),
        (AUTH.thumbprint.lower(), True),
        (f" {AUTH.thumbprint} ", True),
        (":".join(re.findall("..", AUTH.thumbprint)), True),
        (base64_of(AUTH.thumbprint), True),
        (url_safe(base64_of(AUTH.thumbprint)), True),
        (base64_of_sha256(), True),
        (None, False),
        ("", False),
        ("CN=Exchange", False),
        ("ZXhjaGFuZ2U=", False),
        (AUTH.sha256, False),
        ("Schlüssel", False),
    ],
    ids=[
        "40 hex digits",
        "in small letters",
        "with spaces",
        "with colons",
        "base64 of 20 bytes",
        "for URLs, without padding",
        "base64 of the SHA-256",
        "none",
        "empty",
        "a name",
        "base64 of something else",
        "64 hex digits, which are too long for Graph",
        "not even ASCII",
    ],
)
def test_the_spellings_of_a_custom_key_identifier(spelling: Any, known: bool) -> None:  # noqa: FBT001 - a table
    (found,) = read(entry(key=None, customKeyIdentifier=spelling))
    assert found.certificate is None
    assert (found.digest is not None) is known
    assert found.is_of(AUTH) is known
    assert not found.is_of(NEXT)


def test_the_content_decides_over_what_a_key_is_called() -> None:
    (found,) = read(entry(AUTH, customKeyIdentifier=NEXT.thumbprint))
    assert found.thumbprint == AUTH.thumbprint
    assert found.is_of(AUTH)
    assert not found.is_of(NEXT)


@pytest.mark.parametrize("key", [AUTH.base64, url_safe(AUTH.base64), pem_in_base64()])
def test_the_spellings_of_a_content(key: str) -> None:
    (found,) = read(entry(key=key, customKeyIdentifier="anything"))
    assert found.certificate == AUTH
    assert found.thumbprint == AUTH.thumbprint


@pytest.mark.parametrize("key", ["MIIDLg==", "no base64 at all!"])
def test_a_content_that_nobody_can_read_leaves_the_thumbprint_to_decide(key: str) -> None:
    (found,) = read(entry(key=key))
    assert found.certificate is None
    assert found.is_of(AUTH)


@pytest.mark.parametrize(
    ("starts", "of", "verifies"),
    [
        (days(-1), AUTH, True),
        (days(0), AUTH, True),
        (days(1), AUTH, False),
        (None, AUTH, True),
        (days(10), FUTURE, True),
        (days(11), FUTURE, False),
    ],
    ids=["since yesterday", "this moment", "tomorrow", "ever", "with it", "later than it"],
)
def test_a_key_is_of_use_from_its_start_on(
    starts: str | None,
    of: Certificate,
    verifies: bool,  # noqa: FBT001 - a table
) -> None:
    (found,) = read(entry(of, startDateTime=starts))
    assert found.verifies(of, NOW) is verifies


def test_an_expired_entry_is_sent_by_its_id_without_dates_and_the_others_as_they_were() -> None:
    gone, alive = entry(keyId="a", endDateTime=days(-1)), entry(NEXT, keyId="b")
    sent = without_dates(read(gone, alive), NOW)
    assert set(sent[0]) == set(gone) - {"key", "startDateTime", "endDateTime"}
    assert sent[1] == {name: value for name, value in alive.items() if name != "key"}


@pytest.mark.parametrize(
    "raw",
    [
        entry(usage="Sign"),
        entry(type="Symmetric"),
        entry(usage=None),
        entry(key=None, customKeyIdentifier=None),
    ],
    ids=["for signing", "of another type", "of no usage", "of which nothing is known"],
)
def test_no_key_that_verifies_is_one(raw: dict[str, Any]) -> None:
    (found,) = read(raw)
    assert not found.is_of(AUTH)


@pytest.mark.parametrize(
    ("ends", "expired"),
    [(days(-1), True), (days(0), True), (days(1), False), (None, False)],
    ids=["yesterday", "this moment", "tomorrow", "never"],
)
def test_a_key_has_expired_from_its_end_on(ends: str | None, expired: bool) -> None:  # noqa: FBT001 - a table
    (found,) = read(entry(endDateTime=ends))
    assert found.expired(NOW) is expired


def test_an_empty_list_is_a_list() -> None:
    assert read_credentials({"keyCredentials": []}) == ()


@pytest.mark.parametrize(
    "principal",
    [
        {},
        {"keyCredentials": None},
        {"keyCredentials": {"value": []}},
        {"keyCredentials": [{"keyId": "a", "endDateTime": "some day"}]},
        {"keyCredentials": [], "keyCredentials@odata.nextLink": "https://graph.microsoft.com/…"},
    ],
    ids=["no list", "null", "no list but a map", "a date that is none", "a page of a list"],
)
def test_what_cannot_be_read_is_not_an_empty_list(principal: dict[str, Any]) -> None:
    with pytest.raises(CmdletFailed):
        read_credentials(principal)


def test_a_list_reads_the_same_in_whatever_order_graph_gives_it_out() -> None:
    first, second = entry(keyId="a"), entry(NEXT, keyId="B")
    assert read(first, second) == read(second, first)


def test_what_stays_is_sent_back_as_it_was_read_but_for_its_content() -> None:
    raw = entry(hasExtendedValue=None, somethingNew={"of": "2027"})
    (kept,) = retained(read(raw))
    assert kept == {key: value for key, value in raw.items() if key != "key"}
    assert raw["key"]


def test_a_new_key_says_all_but_its_thumbprint_which_graph_works_out() -> None:
    assert set(new_entry(AUTH, "id", NOW)) == {
        "type",
        "usage",
        "keyId",
        "key",
        "displayName",
        "startDateTime",
        "endDateTime",
    }


def test_our_key_ids_are_known_without_memory_and_differ() -> None:
    other = "0f7c2a54-0000-4000-8000-9f61d7b3c8ab"
    ids = own_key_ids(ORGANIZATION_ID, AUTH)
    everything = {*ids, *own_key_ids(ORGANIZATION_ID, NEXT), *own_key_ids(other, AUTH)}
    assert ids[0] == own_key_id(ORGANIZATION_ID, AUTH, 0)
    assert ids == own_key_ids(ORGANIZATION_ID, certificate())
    assert len(everything) == 3 * len(ids)


def test_the_key_ids_of_this_version_are_those_of_every_later_one() -> None:
    fixed = replace(AUTH, sha256="0" * 64)
    assert own_key_id(ORGANIZATION_ID, fixed, 0) == "7d4ec168-83fc-55f6-a158-fe4709e0ee1d"


@pytest.mark.parametrize(
    ("sent", "gone"),
    [
        (["a", "b"], ()),
        (["A", "B"], ()),
        (["b"], ("a",)),
        (["c"], ("a", "b")),
        ([], ("a", "b")),
    ],
    ids=["all", "all in other letters", "one", "a stranger", "nothing"],
)
def test_what_a_write_would_drop(sent: list[str], gone: tuple[str, ...]) -> None:
    before = read(entry(keyId="a"), entry(NEXT, keyId="b"))
    body = {"keyCredentials": [{"keyId": key_id} for key_id in sent]}
    assert lost(before, GraphRequest("PATCH", "servicePrincipals/1", body)) == gone


def guard(*entries: KeyCredential, may_go: frozenset[str] = frozenset()) -> Guard:
    return Guard(LOOK, frozenset(e.canonical for e in entries), may_go)


@pytest.mark.parametrize(
    "now",
    [
        (),
        (entry(keyId="a"), entry(NEXT, keyId="b")),
        (entry(keyId="a", displayName="renamed"),),
        (entry(keyId="a", endDateTime=days(1)),),
        (entry(keyId="c"),),
    ],
    ids=["gone", "one more", "renamed", "shortened", "another"],
)
def test_a_list_that_has_changed_voids_the_plan(now: tuple[dict[str, Any], ...]) -> None:
    before = guard(*read(entry(keyId="a")))
    assert not still_valid(before, read(*now))


def test_a_list_that_is_the_same_in_another_order_does_not() -> None:
    keys = entry(keyId="a"), entry(NEXT, keyId="b", key=None)
    before = guard(*read(*keys))
    assert still_valid(before, read(*reversed(keys)))
    shuffled = {name: keys[0][name] for name in reversed(keys[0])}
    assert still_valid(before, read(keys[1], shuffled))


def test_a_key_that_is_only_sometimes_given_out_is_the_same_entry() -> None:
    before = guard(*read(entry(keyId="a")))
    without = {key: value for key, value in entry(keyId="a").items() if key != "key"}
    assert still_valid(before, read(without))


@pytest.mark.parametrize(
    "body", [None, {"keyCredentials": []}, {"keyCredentials": [{"keyId": "b"}]}]
)
def test_a_write_that_drops_a_foreign_key_is_refused(body: Any) -> None:
    keys = read(entry(keyId="a"), entry(NEXT, keyId="b"))
    command = GraphRequest("PATCH", "servicePrincipals/1", body)
    with pytest.raises(Refused, match="would drop keys that are not ours") as refused:
        check_write(command, guard(*keys), keys)
    assert refused.value.reason is Reason.CHANGE_REFUSED


def test_a_further_try_may_drop_what_the_first_may_not() -> None:
    keys = read(entry(keyId="a"), entry(NEXT, keyId="b"))
    command = GraphRequest("PATCH", "servicePrincipals/1", {"keyCredentials": [{"keyId": "b"}]})
    leave = replace(guard(*keys), at_last=frozenset({"a"}))
    check_write(command, leave, keys, again=True)
    with pytest.raises(Refused):
        check_write(command, leave, keys)


def test_a_write_may_drop_what_it_has_leave_for() -> None:
    keys = read(entry(keyId="a"), entry(NEXT, keyId="b"))
    command = GraphRequest("PATCH", "servicePrincipals/1", {"keyCredentials": [{"keyId": "b"}]})
    check_write(command, guard(*keys, may_go=frozenset({"a"})), keys)
