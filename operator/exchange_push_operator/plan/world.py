"""The world of a plan: the operator's own doors, with nothing behind them that writes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exchange_push_operator.adapters import clock
from exchange_push_operator.core.policy import Policy
from exchange_push_operator.core.ports import Secrets, ServiceAccounts
from exchange_push_operator.reconcile import World
from exchange_push_operator.workstation import outside


@contextmanager
def opened(
    options: argparse.Namespace,
    secrets: Secrets,
    accounts: ServiceAccounts,
    policy: Callable[[], Policy],
) -> Iterator[World]:
    """Open, and close again.

    Raises: SpecError.
    """
    with outside.opened(options) as doors:
        yield World(
            secrets=secrets,
            accounts=accounts,
            exchange=doors.exchanges.connect,
            graph=doors.graphs.connect,
            metadata=doors.metadata,
            policy=policy,
            clock=clock.now,
            read_only=True,
        )
