"""Wait until something holds: the only place of the tests that sleeps."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(predicate: Callable[[], T], timeout: float, what: str, *, interval: float = 0.05) -> T:
    """Give the predicate's first true value; an AssertionError inside it counts as "not yet"."""
    deadline = time.monotonic() + timeout
    while True:
        value, failure = _attempt(predicate)
        if value:
            return value
        if time.monotonic() >= deadline:
            message = (
                f"waited {timeout:g} s in vain for {what}; seen last: {failure or repr(value)}"
            )
            raise AssertionError(message) from failure
        time.sleep(interval)


def now() -> float:
    """The steady clock, for those who move it."""
    return time.monotonic()


def _attempt(predicate: Callable[[], T]) -> tuple[T | None, AssertionError | None]:
    try:
        return predicate(), None
    except AssertionError as failure:
        return None, failure
