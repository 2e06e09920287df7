"""Renewal of a key whose end, as Entra ID stored it, comes before its certificate's.

Microsoft documents a year as the longest life of a key credential and stores longer ones in
practice. Where it was cut, the same certificate gets a second key in time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.key_credentials import KeyCredential
from exchange_push_operator.core.x509 import Certificate

_RENEW_BEFORE = timedelta(hours=1680)
# Entra ID may store whole days, and clocks differ.
_SLACK = timedelta(days=1)
_STRIDE = timedelta(days=30)
_TRIES = 2


def renew_before(config: PushConfig) -> timedelta:
    """How long before its end a key is renewed: as the certificate, under policy Manage."""
    return config.roll_over.renew_before if config.roll_over else _RENEW_BEFORE


def ends_early(key: KeyCredential, certificate: Certificate) -> bool:
    """Whether Entra ID stops accepting the key before the certificate ends."""
    return key.ends is not None and certificate.not_after - key.ends > _SLACK


def start(certificate: Certificate, now: datetime) -> datetime:
    """When a key that is added now begins: at the latest full 30 days of the certificate's life.

    A life that is cut to a year from its start would be over, or as good as over, were the start
    always that of the certificate. And it does not move with every look: a plan that waits for an
    administrator must stay the same.
    """
    strides = (now - certificate.not_before - _SLACK) // _STRIDE
    return certificate.not_before + max(strides, 0) * _STRIDE


def due(
    config: PushConfig,
    key: KeyCredential,
    ours: Iterable[KeyCredential],
    certificate: Certificate,
    now: datetime,
) -> bool:
    """Whether the certificate, held by ``key`` at the latest, needs another key by now.

    Not where two of ours begin as late as another would: it would end no later than the second.
    """
    if key.ends is None or not ends_early(key, certificate):
        return False
    newest = start(certificate, now)
    tried = sum(own.starts is not None and own.starts >= newest for own in ours)
    return key.ends - now < renew_before(config) and tried < _TRIES
