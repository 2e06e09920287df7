"""Who may write: one replica at a time, by a Lease. The rules of client-go's leader election.

Whoever writes its name into the Lease leads, and writes it anew every two seconds. A standby counts
by its own clock since when the record has not changed; the dates in it are for people, because no
two machines' clocks agree. It takes over when that has lasted for the lease's duration. A leader
that cannot renew stops after the renew deadline, five seconds before anybody can take over.

Where no Lease is, somebody may have deleted it a moment ago, and whoever leads does not know yet.
So a standby first puts a stand-in there, a record that nobody has ever held, and takes over only
when that has stood for the lease's duration. A leader puts its own record in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

# Seconds; client-go's defaults.
LEASE_DURATION = 15
RENEW_DEADLINE = 10.0
RETRY_PERIOD = 2.0
# A standby looks more often than the leader renews: what it sees late, it takes over late.
LOOK_PERIOD = 1.0
# What a leader has left between its last moment and the first one of the next leader.
MARGIN = LEASE_DURATION - RENEW_DEADLINE


@dataclass(frozen=True, slots=True)
class Lease:
    """The record. ``holder`` is empty once it has been released; ``duration`` is in seconds.

    ``acquired`` is None in a stand-in, and in a Lease that somebody made without a record.
    """

    holder: str
    duration: int = LEASE_DURATION
    acquired: datetime | None = None
    renewed: datetime | None = None
    transitions: int = 0

    @property
    def stands_in(self) -> bool:
        """Whether nobody has ever held it."""
        return not self.holder and self.acquired is None


@dataclass(frozen=True, slots=True)
class Sight:
    """A record as one replica sees it: unchanged ``since`` a moment of its own steady clock.

    ``missing``: the moment from which on there was none, or the ``stand_in`` that is there now.
    """

    lease: Lease
    since: float
    missing: float | None = None
    stand_in: Lease | None = None

    @property
    def free_at(self) -> float:
        """The moment at which its holder has had its time; past where it was given back."""
        if self.missing is not None:
            return self.missing + LEASE_DURATION
        duration = self.lease.duration or LEASE_DURATION
        return self.since + (duration if self.lease.holder else 0)

    def ours(self, me: str, now: float) -> bool:
        """Whether ``me`` leads, and nobody else can have taken over in the meantime."""
        recent = self.missing is None or now < self.since + RENEW_DEADLINE
        return self.lease.holder == me and recent


class Leases(Protocol):
    """The one Lease of the cluster. Every method raises PushError where it gets no answer."""

    def read(self) -> tuple[Lease, Mapping[str, Any]] | None:
        """The record, and the object that it stands in; None where there is none yet."""
        ...

    def write(self, lease: Lease, found: Mapping[str, Any] | None) -> bool:
        """Put a record into the object that was read, or make one; False: somebody was faster."""
        ...


def see(before: Sight | None, lease: Lease | None, now: float) -> Sight:
    """What is known after another look, which found this record, or none."""
    if lease is not None and not lease.stands_in:
        if before is not None and before.missing is None and before.lease == lease:
            return before
        return Sight(lease, now)
    # Who has never seen one cannot tell a first start from a Lease that was just deleted.
    before = before or Sight(Lease(""), now)
    if lease is not None and before.stand_in == lease:
        return before
    return replace(before, missing=now, stand_in=lease)


def claim(me: str, sight: Sight, now: float, date: datetime) -> Lease | None:
    """The record to be written now, None for none: ``me`` leads with it if it is the holder.

    Args:
        me: An identity that no other process ever has.
        sight: The record as it is now.
        now: The steady clock.
        date: The time of day, for the record alone.
    """
    if sight.ours(me, now):
        return replace(sight.lease, duration=LEASE_DURATION, renewed=date)
    if sight.missing is not None and sight.stand_in is None:
        return Lease("", LEASE_DURATION, renewed=date)
    if now < sight.free_at:
        return None
    passed_on = sight.lease.acquired is not None
    return Lease(me, LEASE_DURATION, date, date, sight.lease.transitions + passed_on)


def release(me: str, lease: Lease, date: datetime) -> Lease | None:
    """The record that anybody may take at once; None where it is not ours to release."""
    if lease.holder != me:
        return None
    return replace(lease, holder="", duration=1, renewed=date)
