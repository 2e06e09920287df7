"""Whether every server has a certificate with its private key, and the copy that mends one.

Exchange hands the key out by itself to the servers of a site when AuthConfig changes. What is
still missing after that is copied by us: one server after another, onto listed servers only. A
server that the resource does not name is not written to, only told of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from exchange_push_operator.core import auth_certificate
from exchange_push_operator.core.certificate_store import Held
from exchange_push_operator.core.plan import Plan, Step, fails, unknown
from exchange_push_operator.core.reasons import Reason

# Minutes inside a site, as administrators tell; between sites it never comes.
_BY_ITSELF = timedelta(minutes=15)
CURE = (
    "use Export-ExchangeCertificate on a server that has it and Import-ExchangeCertificate there, "
    "after removing one without its key; the operator does so on listed servers only"
)
"""Where it is not ours to mend."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Where one certificate is, by server."""

    thumbprint: str
    listed: Mapping[str, Held]
    unlisted: Mapping[str, Held]

    def missing(self, resting: frozenset[str]) -> tuple[str, ...]:
        """Servers that were seen and lack it or its key; those in maintenance do not count."""
        every = {**self.listed, **self.unlisted}
        without = (Held.MISSING, Held.WITHOUT_KEY)
        return tuple(sorted(n for n, held in every.items() if held in without and n not in resting))

    def repairs(self, resting: frozenset[str]) -> tuple[Step, ...]:
        """Copy it to each listed server that lacks it; a refusal of one keeps no other waiting.

        One that has it without the key is not: the import refuses a certificate that is there.
        """
        awake = {n: h for n, h in sorted(self.listed.items()) if n not in resting}
        holder = next((name for name, held in awake.items() if held is Held.WITH_KEY), None)
        if holder is None:
            return ()
        targets = (name for name, held in awake.items() if held is Held.MISSING)
        return tuple(auth_certificate.copy(self.thumbprint, holder, name) for name in targets)


def plan(
    of: Distribution,
    changed: datetime | None,
    clocks: Iterable[datetime | None],
    resting: frozenset[str],
) -> Plan | None:
    """What to do about servers that lack it; None where no server does."""
    missing = of.missing(resting)
    if not missing:
        return None
    who = f"{', '.join(missing)}: without the private key of {of.thumbprint}"
    if _under_way(changed, clocks):
        message = f"{who}; AuthConfig has just changed, and Exchange hands it out by itself"
        return Plan(unknown(Reason.SETTLING, message))
    steps = of.repairs(resting)
    cure = f"to be imported from {steps[0].server}" if steps else CURE
    return Plan(fails(Reason.PRIVATE_KEY_MISSING, f"{who}; {cure}"), steps)


def _under_way(changed: datetime | None, clocks: Iterable[datetime | None]) -> bool:
    """Whether Exchange may still be handing the key out: AuthConfig changed minutes ago.

    By the servers' own clocks, for ours may be another one.
    """
    if changed is None:
        return False
    return any(clock < changed + _BY_ITSELF for clock in clocks if clock is not None)
