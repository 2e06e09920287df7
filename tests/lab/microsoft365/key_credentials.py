"""The rules of ``keyCredentials``: what a PATCH makes of the stored entries.

Sources by rule: docs/entra.md. A PATCH replaces the whole list. Where
Microsoft documents nothing, the rule is marked as inferred.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lab.microsoft365.directory import KeyCredential
from lab.microsoft365.errors import GraphError

INVALID_START = "KeyCredentialsInvalidStartDate"  # inferred from the rule of the end date
BAD = "Request_BadRequest"
_LONGEST_NAME = 90
_LONGEST_IDENTIFIER = 32
_PROPERTIES = {
    "customKeyIdentifier",
    "displayName",
    "endDateTime",
    "key",
    "keyId",
    "startDateTime",
    "type",
    "usage",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """The switches that bear on a PATCH, and the moment it arrives."""

    now: datetime
    assign_own_key_id: bool = False
    one_year_storage: bool = False
    refuse_expired_entries: bool = False
    refuse_expired_dates: bool = False
    drop_display_name: bool = False
    max_keys: int = 600


def replaced(held: Sequence[KeyCredential], sent: Any, rules: Rules) -> tuple[KeyCredential, ...]:
    """The entries after a PATCH with ``sent``. Raises GraphError (400) and changes nothing."""
    if not isinstance(sent, list) or not all(isinstance(entry, Mapping) for entry in sent):
        raise GraphError(
            400, BAD, "The value of keyCredentials must be a collection of keyCredential."
        )
    if len(sent) > rules.max_keys:
        text = "The size of the object has exceeded its limit. Please reduce the number of values."
        raise GraphError(400, "Directory_ResourceSizeExceeded", text)
    known = {key.key_id: key for key in held}
    result = tuple(_entry(entry, known, rules) for entry in sent)
    if len({key.key_id for key in result}) < len(result):  # inferred
        raise GraphError(400, BAD, "Key identifiers within keyCredentials must be unique.")
    return result


def _entry(
    sent: Mapping[str, Any], known: Mapping[str, KeyCredential], rules: Rules
) -> KeyCredential:
    _check_properties(sent)
    key_id, key = _key_id(sent.get("keyId")), sent.get("key")
    stored = known.get(key_id or "")
    if stored is not None:
        return _retained(stored, sent, rules)
    if key is None:
        # The rule is documented for a known id; the refusal of an unknown one is inferred.
        raise GraphError(
            400, BAD, f"No credentials found to update with the KeyId '{key_id or ''}'."
        )
    # An unused id is kept: azure-cli's "role/custom.py" and the resource
    # azuread_service_principal_certificate of Terraform choose the id of a new key themselves
    # and look for it later. The switch has the server put another in its place.
    chosen = None if rules.assign_own_key_id else key_id
    return _new(sent, certificate_of(key), chosen or str(uuid.uuid4()), rules)


def _retained(stored: KeyCredential, sent: Mapping[str, Any], rules: Rules) -> KeyCredential:
    """An entry sent back by its id. Its key and dates stay as they are stored (inferred)."""
    key = sent.get("key")
    if key is not None and _der(certificate_of(key)) != stored.key:
        text = f"Update to existing credential with KeyId '{stored.key_id}' is not allowed."
        raise GraphError(400, BAD, text, "KeyNotUpdatable")
    expired = stored.end <= rules.now
    # Reports of the refusal do not say which of the two it is (inferred).
    if expired and (rules.refuse_expired_entries or _refused_for_its_date(sent, rules)):
        raise _end_date()
    if "displayName" in sent:
        return replace(stored, display_name=_display_name(sent))
    # What becomes of a displayName that is left out is documented nowhere.
    return replace(stored, display_name=None) if rules.drop_display_name else stored


def _refused_for_its_date(sent: Mapping[str, Any], rules: Rules) -> bool:
    return rules.refuse_expired_dates and sent.get("endDateTime") is not None


def _new(
    sent: Mapping[str, Any], certificate: x509.Certificate, key_id: str, rules: Rules
) -> KeyCredential:
    for name, only in (("type", "AsymmetricX509Cert"), ("usage", "Verify")):
        if sent.get(name) != only:
            raise GraphError(
                400, BAD, f"The value of '{name}' of a key credential must be '{only}'."
            )
    start = _moment(sent, "startDateTime") or _default_start(certificate, rules)
    if start < certificate.not_valid_before_utc:
        raise GraphError(
            400, BAD, "Key credential start date is invalid.", "KeyCredentialsInvalidStartDate"
        )
    entry = KeyCredential.of(certificate)
    return replace(
        entry,
        key_id=key_id,
        start=start,
        end=_end(sent, start, certificate.not_valid_after_utc, rules),
        custom_key_identifier=_identifier(sent) or entry.custom_key_identifier,
        display_name=_display_name(sent),
    )


def _default_start(certificate: x509.Certificate, rules: Rules) -> datetime:
    """Now (inferred: documented is only that the server fills it in)."""
    return max(rules.now.replace(microsecond=0), certificate.not_valid_before_utc)


def _end(sent: Mapping[str, Any], start: datetime, latest: datetime, rules: Rules) -> datetime:
    """Documented: one year from the start where nothing is said; never past the certificate."""
    year = _one_year_after(start)
    end = _moment(sent, "endDateTime") or min(year, latest)
    if end > latest or end <= rules.now or end <= start:
        raise _end_date()
    return min(end, year) if rules.one_year_storage else end


def _one_year_after(start: datetime) -> datetime:
    try:
        return start.replace(year=start.year + 1)
    except ValueError:  # 29 February
        return start + timedelta(days=365)


def certificate_of(key: Any) -> x509.Certificate:
    """The certificate in a ``key``: base64 of its DER; base64 of its PEM text is taken as well."""
    try:
        raw = base64.b64decode(key, validate=True)
        if raw.startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(raw)
        return x509.load_der_x509_certificate(raw)
    except (TypeError, ValueError, binascii.Error) as error:
        text = "Key credential value is invalid: it must be a certificate encoded as base64."
        raise GraphError(400, BAD, text, "KeyCredentialsInvalidValue") from error


def _check_properties(sent: Mapping[str, Any]) -> None:
    if unknown := sorted(set(sent) - _PROPERTIES):
        raise GraphError(400, BAD, f"Invalid property '{unknown[0]}'.")


def _key_id(value: Any) -> str | None:
    if value is None:
        return None
    try:
        return str(uuid.UUID(value))
    except (AttributeError, TypeError, ValueError) as error:
        raise GraphError(
            400, BAD, f"Cannot convert the literal '{value}' to the type 'Edm.Guid'."
        ) from error


def _identifier(sent: Mapping[str, Any]) -> str | None:
    value = sent.get("customKeyIdentifier")
    if value is None:
        return None
    try:
        raw = base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise GraphError(
            400, BAD, f"Cannot convert the literal '{value}' to the type 'Edm.Binary'."
        ) from error
    if len(raw) > _LONGEST_IDENTIFIER:
        raise GraphError(400, BAD, "The customKeyIdentifier of a key credential is too long.")
    return str(value)


def _display_name(sent: Mapping[str, Any]) -> str | None:
    value = sent.get("displayName")
    return None if value is None else str(value)[:_LONGEST_NAME]


def _moment(sent: Mapping[str, Any], name: str) -> datetime | None:
    value = sent.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise _literal(value, "Edm.DateTimeOffset") from error
    if moment.tzinfo is None:
        raise _literal(value, "Edm.DateTimeOffset")
    return moment.astimezone(UTC).replace(microsecond=0)


def _literal(value: Any, edm: str) -> GraphError:
    return GraphError(400, BAD, f"Cannot convert the literal '{value}' to the type '{edm}'.")


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _end_date() -> GraphError:
    return GraphError(400, "KeyCredentialsInvalidEndDate", "Key credential end date is invalid.")
