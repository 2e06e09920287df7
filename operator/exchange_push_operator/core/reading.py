"""Reading what a remote side said: an answer of another shape is "not observed", never a crash."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from exchange_push_operator.core.commands import Row
from exchange_push_operator.core.errors import CmdletFailed


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn the errors of taking an answer apart into one of looking (safety rule 2).

    Only readers belong inside, no plan: a bug in ours must not look like an odd answer.

    Raises:
        CmdletFailed: the answer has another shape.
    """
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise CmdletFailed(
            f"{what}: an answer cannot be read ({type(error).__name__}); look at the operator's log"
        ) from error


def flag(row: Row, key: str) -> bool:
    """What is true or false; anything else is not "false". Raises: TypeError, KeyError."""
    value = row[key]
    if not isinstance(value, bool):
        raise TypeError(f"{key} is neither true nor false")
    return value
