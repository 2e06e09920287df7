"""Writes of key credentials as steps: what is added or removed, and all that has to stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from exchange_push_operator.core import key_renewal, principal
from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.held_keys import HeldKeys
from exchange_push_operator.core.key_credentials import (
    KeyCredential,
    new_entry,
    own_key_ids,
    retained,
    without_dates,
)
from exchange_push_operator.core.plan import Guard, Step
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.x509 import Certificate


def add(config: PushConfig, held: HeldKeys, missing: Sequence[Certificate], now: datetime) -> Step:
    """Add a key for each certificate; every entry that is there goes along.

    An expired entry may make Entra ID refuse the whole list. Then they are sent without their
    dates, and at last without our own, and without others' where the resource allows that.

    Raises: Refused (ChangeRefused).
    """
    entries = held.entries
    _check_ids(config, entries)
    added = [new_entry(c, _free_key_id(held, c), key_renewal.start(c, now)) for c in missing]
    expired = [entry for entry in entries if entry.expired(now)]
    may_go = [e for e in expired if config.drop_expired_keys or held.ours(e)]
    tries: list[GraphRequest] = []
    if expired:
        tries.append(principal.patch(held.principal, [*without_dates(entries, now), *added]))
    if may_go:
        kept = [entry for entry in entries if entry not in may_go]
        tries.append(principal.patch(held.principal, [*without_dates(kept, now), *added]))
    return Step(
        action="Add a key credential",
        target=config.app_id,
        event="KeyCredentialAdded",
        command=principal.patch(held.principal, [*retained(entries), *added]),
        summary=f"add {_names(missing)}, keep {_count(entries)}",
        parts=tuple(certificate.thumbprint for certificate in missing),
        guard=_guard(config, held, (), may_go),
        fallbacks=tuple(tries),
    )


def remove(
    config: PushConfig, held: HeldKeys, gone: Sequence[KeyCredential], now: datetime
) -> Step:
    """Take keys of our own away; every other entry stays. Raises as ``add``."""
    _check_ids(config, held.entries)
    kept = [entry for entry in held.entries if entry not in gone]
    expired = any(entry.expired(now) for entry in kept)
    again = (principal.patch(held.principal, without_dates(kept, now)),) if expired else ()
    names = ", ".join(str(entry.thumbprint or entry.key_id) for entry in gone)
    return Step(
        action="Remove our key credential",
        target=config.app_id,
        event="KeyCredentialRemoved",
        command=principal.patch(held.principal, retained(kept)),
        summary=f"remove {names}, keep {_count(kept)}",
        parts=tuple(f"remove {entry.key_id}" for entry in gone),
        guard=_guard(config, held, gone, ()),
        fallbacks=again,
    )


def _check_ids(config: PushConfig, entries: Sequence[KeyCredential]) -> None:
    """Entra ID keeps an entry by its id alone: one without is lost with any write of the list."""
    nameless = [entry for entry in entries if not entry.key_id]
    if nameless:
        which = ", ".join(sorted(entry.digest or "one of unknown content" for entry in nameless))
        raise Refused(
            Reason.CHANGE_REFUSED,
            f"principal {config.app_id} holds keys without a keyId ({which}), which no write of "
            "its list can keep; nothing is planned: remove them, and let their owner add them anew",
        )


def _guard(
    config: PushConfig,
    held: HeldKeys,
    may_go: Sequence[KeyCredential],
    at_last: Sequence[KeyCredential],
) -> Guard:
    return Guard(
        look=principal.request(config),
        entries=frozenset(entry.canonical for entry in held.entries),
        may_go=frozenset(entry.key_id for entry in may_go),
        at_last=frozenset(entry.key_id for entry in at_last),
    )


def _free_key_id(held: HeldKeys, certificate: Certificate) -> str:
    taken = {entry.key_id for entry in held.entries}
    ids = own_key_ids(held.organization_id, certificate)
    return next((key_id for key_id in ids if key_id not in taken), ids[-1])


def _names(certificates: Sequence[Certificate]) -> str:
    return ", ".join(certificate.thumbprint for certificate in certificates)


def _count(entries: Sequence[KeyCredential]) -> str:
    return "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
