"""The hashes of plans; also as a program, which reads pickled cases and prints a hash for each."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterable

from answers import NOW
from any_organization import Case
from exchange_push_operator.core.plan import plan_hash
from exchange_push_operator.reconcile.judge import foreseen, judge


def hashes(cases: Iterable[Case]) -> list[str]:
    """The hash of each plan."""
    plans = (judge(made.asked, made.observed, NOW) for made in cases)
    return [plan_hash(step for _, step in foreseen(plan)) for plan in plans]


if __name__ == "__main__":
    print(*hashes(pickle.load(sys.stdin.buffer)))  # noqa: S301 - our own test wrote it
