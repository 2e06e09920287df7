"""The id under which a write is sent, and under which it stands in the audit.

It is made where the write is decided and used where it is sent; a context variable carries it
through the ports, whose callers do not care.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_WRITE: ContextVar[str] = ContextVar("write", default="")


@contextmanager
def one_write() -> Iterator[str]:
    """A new id for the one request that is sent inside."""
    identifier = str(uuid.uuid4())
    token = _WRITE.set(identifier)
    try:
        yield identifier
    finally:
        _WRITE.reset(token)


def request_id() -> str:
    """The id of the write that is being sent; a new one for everything else."""
    return _WRITE.get() or str(uuid.uuid4())
