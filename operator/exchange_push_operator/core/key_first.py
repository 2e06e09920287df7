"""Key first: Entra ID gets the public half before a certificate becomes current.

From the moment on that AuthConfig names a certificate, every server signs with it; a token that
Entra ID cannot verify is refused. So a certificate that is to be valid at once waits for its key.
It does not wait where the key cannot be expected: OWA and ECP need an Auth certificate to work at
all, and Exchange without one is worse than a token that is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exchange_push_operator.core import principal, refusals
from exchange_push_operator.core.conditions import IN_SYNC, find
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import PushError, Throttled, Unreachable
from exchange_push_operator.core.key_credentials import KeyCredential
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.x509 import Certificate

# The last pass tried, and somebody said no. Written in status: a restart does not forget it.
_TURNED_DOWN = (
    Reason.CHANGE_REFUSED,
    Reason.CHANGE_FAILED,
    Reason.CONTENDED,
    Reason.AWAITING_ADMINISTRATOR,
)


@dataclass(frozen=True, slots=True)
class Keys:
    """What the principal holds; ``expected``: a key that is missing is going to be added by us."""

    expected: bool
    entries: tuple[KeyCredential, ...] = ()

    def come_first(self, certificate: Certificate, now: datetime) -> bool:
        """Whether the certificate has to wait for its key."""
        return self.expected and not any(entry.verifies(certificate, now) for entry in self.entries)


def read(config: PushConfig, observed: Observations) -> Keys:
    """Read the principal as far as it matters here.

    Not expected where no principal is managed, where our identity may only read, where the last
    pass was turned down, and where Graph refuses to be read. Expected where Graph is out of reach
    for now: a short wait does no harm to an Exchange that has no Auth certificate anyway.
    """
    identity = observed.identity
    if not config.needs_entra or identity is None or not refusals.may_write(config, identity):
        return Keys(expected=False)
    in_sync = find(config.status, IN_SYNC)
    if in_sync is not None and in_sync["reason"] in _TURNED_DOWN:
        return Keys(expected=False)
    try:
        found = principal.read(config, observed)
    except (Unreachable, Throttled):
        return Keys(expected=True)
    except PushError:
        return Keys(expected=False)
    return Keys(found.exists, found.entries)
