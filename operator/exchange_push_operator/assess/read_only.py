"""The doors of an assessment: Graph that is only read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.errors import PushError, Unreachable
from exchange_push_operator.core.ports import Graph, GraphAccess, Identity


class ReadOnlyGraph:
    """Graph that can only be read."""

    def __init__(self, graph: Graph) -> None:
        """Wrap a signed-in Graph."""
        self._graph = graph

    def identity(self, *, since: datetime | None = None) -> Identity:
        """As the port says."""
        return self._graph.identity(since=since)

    def send(self, request: GraphRequest) -> Mapping[str, Any]:
        """Send a GET. Raises: ValueError for anything else: a bug, and nothing is sent."""
        if request.method != "GET":
            message = f"{request}: an assessment reads, and changes nothing"
            raise ValueError(message)
        return self._graph.send(request)


class Silent:
    """Graph that could not be signed in to: every look says why."""

    def __init__(self, error: PushError) -> None:
        """Keep what went wrong."""
        self._error = error

    def identity(self, *, since: datetime | None = None) -> Identity:
        """Raises what went wrong."""
        del since
        raise self._error

    def send(self, request: GraphRequest) -> Mapping[str, Any]:
        """Raises what went wrong."""
        del request
        raise self._error


def no_graph(_access: GraphAccess) -> Graph:
    """Raises: Unreachable."""
    raise Unreachable("an assessment signs in by itself")
