"""The keys of a principal beside the certificates that it should hold: whose is which."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from exchange_push_operator.core.candidate import Stores
from exchange_push_operator.core.key_credentials import KeyCredential, own_key_ids
from exchange_push_operator.core.organization import AuthConfig
from exchange_push_operator.core.principal import Principal
from exchange_push_operator.core.rollover_seen import Seen
from exchange_push_operator.core.x509 import Certificate


@dataclass(frozen=True, slots=True)
class HeldKeys:
    """The principal, and the certificates it should hold: the current one first.

    ``shared`` are the keys of the first-party principal where another one is the target: None
    where they may not be read. ``switched_over``: Exchange signs in as another one by now.
    """

    seen: Seen
    stores: Stores
    wanted: tuple[Certificate, ...]
    principal: Principal
    shared: tuple[KeyCredential, ...] | None = ()
    switched_over: bool = False

    @property
    def organization_id(self) -> str:
        """The GUID of the organisation, which our keyIds are made of."""
        return self.seen.organization_id

    @property
    def auth(self) -> AuthConfig:
        """What AuthConfig names."""
        return self.seen.auth

    @property
    def entries(self) -> tuple[KeyCredential, ...]:
        """Every key of the principal."""
        return self.principal.entries

    @property
    def current(self) -> Certificate | None:
        """The current certificate, where it is one that may be on the principal."""
        return next((c for c in self.wanted if c.thumbprint == self.auth.current), None)

    def ours(self, entry: KeyCredential) -> bool:
        """Whether we, or an administrator for us, made it: by its keyId and its certificate."""
        if entry.certificate is not None:
            return entry.key_id in own_key_ids(self.organization_id, entry.certificate)
        known = (own_key_ids(self.organization_id, certificate) for certificate in self.wanted)
        return any(entry.key_id in ids for ids in known)

    def ours_of(self, certificate: Certificate) -> tuple[KeyCredential, ...]:
        """Our own keys of a certificate."""
        return tuple(e for e in self.entries if self.ours(e) and e.is_of(certificate))

    def foreign(self) -> tuple[KeyCredential, ...]:
        """Keys that are neither ours nor of a wanted certificate."""
        return tuple(
            entry
            for entry in self.entries
            if not self.ours(entry) and not any(entry.is_of(c) for c in self.wanted)
        )

    def of_the_organization(self, entry: KeyCredential) -> bool:
        """Whether a key, wherever it is, belongs to a certificate of this organisation."""
        named = entry.thumbprint is not None and self.auth.names(entry.thumbprint)
        return named or self.ours(entry) or any(entry.is_of(c) for c in self.wanted)

    def lasting(self, certificate: Certificate, now: datetime) -> KeyCredential | None:
        """Of the keys that verify a certificate now the one that ends last; None for none."""
        return _last(entry for entry in self.entries if entry.verifies(certificate, now))

    def superseded(self, now: datetime) -> tuple[KeyCredential, ...]:
        """Our own keys beside one of ours that is seen and ends later, for the same certificate."""
        gone: list[KeyCredential] = []
        for certificate in self.wanted:
            ours = self.ours_of(certificate)
            last = _last(entry for entry in ours if entry.verifies(certificate, now))
            if last is not None:
                gone += [entry for entry in ours if _end(entry) < _end(last)]
        return tuple(gone)


def _last(entries: Iterable[KeyCredential]) -> KeyCredential | None:
    return max(entries, key=lambda entry: (_end(entry), entry.key_id), default=None)


def _end(entry: KeyCredential) -> float:
    return entry.ends.timestamp() if entry.ends else math.inf
