"""Asking several servers at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeAlias

_AT_ONCE = 8  # of one resource

Together: TypeAlias = Callable[[Callable[[str], Any], Sequence[str]], list[Any]]
"""Calls a function with each name, and gives the results in the order of the names."""


def side_by_side(ask: Callable[[str], Any], servers: Sequence[str]) -> list[Any]:
    """Eight at a time, the first in the caller's thread; a slow one keeps only him waiting."""
    if len(servers) <= 1:
        return [ask(name) for name in servers]
    first, *others = servers
    with ThreadPoolExecutor(min(_AT_ONCE - 1, len(others)), "ask") as threads:
        # The context carries the resource's name to the log lines of the thread.
        running = [threads.submit(copy_context().run, ask, name) for name in others]
        return [ask(first), *(one.result() for one in running)]
