"""The rim of the adapters: every request that goes out is told to whoever keeps count."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from exchange_push_operator.core.ports import Observer, Request

OK = "ok"


class Answered:
    """What came of a request: ``code`` is ``ok``, or set by whoever knows better."""

    code = OK


@contextmanager
def observed(observer: Observer, endpoint: str, operation: str) -> Iterator[Answered]:
    """Tell of one request when it is over; an error that leaves it is its code, by its type."""
    answered, started = Answered(), time.monotonic()
    try:
        yield answered
    except Exception as error:
        answered.code = type(error).__name__
        raise
    finally:
        seconds = time.monotonic() - started
        observer(Request(endpoint, operation, answered.code, seconds))
