"""The rules of keyCredentials, one by one (docs and reports named in the lab's module)."""

import base64
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from lab.microsoft365.directory import KeyCredential, iso
from lab.microsoft365.errors import GraphError
from lab.microsoft365.key_credentials import Rules, replaced
from lab.network.ca import self_signed

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
BORN = NOW - timedelta(days=10)
CERTIFICATE = self_signed("auth certificate", start=BORN, days=1826)
OTHER = self_signed("foreign", start=BORN, days=365)
DER = base64.b64encode(CERTIFICATE.public_bytes(Encoding.DER)).decode()
OTHER_DER = base64.b64encode(OTHER.public_bytes(Encoding.DER)).decode()
HELD = replace(KeyCredential.of(OTHER, "theirs"), key_id="00000000-0000-4000-8000-000000000001")
CHOSEN = "6a1d9b1e-0000-5000-8000-000000000002"
RULES = Rules(NOW)


def new(**fields: Any) -> dict[str, Any]:
    entry = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": DER, **fields}
    return {name: value for name, value in entry.items() if value is not ...}


def kept(**fields: Any) -> dict[str, Any]:
    return {**HELD.document(with_key=False), **fields}


def after(*sent: Mapping[str, Any], rules: Rules = RULES) -> tuple[KeyCredential, ...]:
    return replaced([HELD], list(sent), rules)


def test_a_patch_replaces_the_whole_list() -> None:
    assert after() == ()
    assert [key.sha1 for key in after(new())] == [KeyCredential.of(CERTIFICATE).sha1]


def test_an_entry_sent_back_by_its_id_stays_as_it_is() -> None:
    assert after(kept()) == (HELD,)
    assert after({"keyId": HELD.key_id.upper(), "key": None}) == (HELD,)
    assert after(kept(key=OTHER_DER)) == (HELD,)


def test_what_becomes_of_a_display_name_left_out_is_a_switch() -> None:
    entry = kept()
    del entry["displayName"]
    assert after(entry)[0].display_name == "theirs"
    assert after(entry, rules=replace(RULES, drop_display_name=True))[0].display_name is None
    assert after(kept(displayName="mine"))[0].display_name == "mine"


def test_a_new_key_gets_an_id_a_thumbprint_and_one_year_by_default() -> None:
    made = after(kept(), new())[1]
    assert uuid.UUID(made.key_id).version == 4
    assert made.custom_key_identifier == made.sha1.hex().upper()
    assert (made.start, made.end) == (NOW, NOW.replace(year=2027))


def test_dates_that_are_sent_are_stored_up_to_the_end_of_the_certificate() -> None:
    dates = {
        "startDateTime": iso(CERTIFICATE.not_valid_before_utc),
        "endDateTime": iso(CERTIFICATE.not_valid_after_utc),
    }
    made = after(new(**dates))[0]
    assert (made.start, made.end) == (BORN, BORN + timedelta(days=1826))


def test_the_end_may_be_cut_to_one_year() -> None:
    sent = new(startDateTime=iso(BORN), endDateTime=iso(CERTIFICATE.not_valid_after_utc))
    made = after(sent, rules=replace(RULES, one_year_storage=True))[0]
    assert made.end == BORN.replace(year=2027)


def test_a_leap_day_has_a_year_too() -> None:
    leap = datetime(2028, 2, 29, 12, tzinfo=UTC)
    assert after(new(), rules=Rules(leap))[0].end == leap + timedelta(days=365)


def test_an_id_of_the_client_is_kept_unless_the_server_puts_its_own() -> None:
    assert after(new(keyId=CHOSEN))[0].key_id == CHOSEN
    assert (
        after(new(keyId=CHOSEN), rules=replace(RULES, assign_own_key_id=True))[0].key_id != CHOSEN
    )


def test_pem_text_in_base64_is_taken_as_well() -> None:
    pem = base64.b64encode(CERTIFICATE.public_bytes(Encoding.PEM)).decode()
    assert after(new(key=pem))[0].key == CERTIFICATE.public_bytes(Encoding.DER)


def test_a_long_display_name_is_cut() -> None:
    assert after(new(displayName="x" * 100))[0].display_name == "x" * 90


def test_an_expired_entry_may_be_refused_when_it_is_sent_back() -> None:
    late = Rules(NOW + timedelta(days=400))
    assert after(kept(), rules=late) == (HELD,)
    with pytest.raises(GraphError) as refused:
        after(kept(), rules=replace(late, refuse_expired_entries=True))
    by_date = replace(late, refuse_expired_dates=True)
    with pytest.raises(GraphError):
        after(kept(), rules=by_date)
    assert after({"keyId": HELD.key_id}, rules=by_date) == (HELD,)
    assert refused.value.code == "KeyCredentialsInvalidEndDate"


REFUSED = {
    "another key under an id that is taken": ([kept(key=DER)], "KeyNotUpdatable"),
    "an unknown id without a key": ([kept(keyId=CHOSEN)], "Request_BadRequest"),
    "neither id nor key": ([new(key=...)], "Request_BadRequest"),
    "the same id twice": ([kept(), kept()], "Request_BadRequest"),
    "bad base64": ([new(key="not base64!")], "KeyCredentialsInvalidValue"),
    "no certificate": ([new(key="AAAA")], "KeyCredentialsInvalidValue"),
    "another type": ([new(type="Symmetric")], "Request_BadRequest"),
    "another usage": ([new(usage="Sign")], "Request_BadRequest"),
    "no type": ([new(type=...)], "Request_BadRequest"),
    "an unknown property": ([new(thumbprint="AB")], "Request_BadRequest"),
    "an id that is no GUID": ([new(keyId="mine")], "Request_BadRequest"),
    "a date without a zone": ([new(endDateTime="2027-01-01T00:00:00")], "Request_BadRequest"),
    "a date that is none": ([new(endDateTime="tomorrow")], "Request_BadRequest"),
    "an identifier that is too long": (
        [new(customKeyIdentifier=base64.b64encode(b"x" * 40).decode())],
        "Request_BadRequest",
    ),
    "an end after the certificate's": (
        [new(endDateTime="2040-01-01T00:00:00Z")],
        "KeyCredentialsInvalidEndDate",
    ),
    "an end in the past": (
        [new(endDateTime=iso(NOW - timedelta(seconds=1)))],
        "KeyCredentialsInvalidEndDate",
    ),
    "an end before the start": (
        [new(startDateTime="2027-02-01T00:00:00Z", endDateTime="2027-01-01T00:00:00Z")],
        "KeyCredentialsInvalidEndDate",
    ),
    "a start before the certificate's": (
        [new(startDateTime="2020-01-01T00:00:00Z")],
        "KeyCredentialsInvalidStartDate",
    ),
    "something else than a list": ("text", "Request_BadRequest"),
    "a list of something else": (["text"], "Request_BadRequest"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_list_is_refused_for(name: str) -> None:
    sent, code = REFUSED[name]
    with pytest.raises(GraphError) as refused:
        replaced([HELD], sent, RULES)
    assert refused.value.status == 400
    assert code in {refused.value.code, refused.value.detail}


def test_more_keys_than_the_directory_holds_are_refused() -> None:
    with pytest.raises(GraphError) as refused:
        after(kept(), new(), rules=replace(RULES, max_keys=1))
    assert refused.value.code == "Directory_ResourceSizeExceeded"
