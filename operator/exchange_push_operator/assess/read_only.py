"""The doors of an assessment: Graph that is only read, and no cluster."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.errors import PushError, SpecError, Unreachable
from exchange_push_operator.core.ports import Graph, GraphAccess, Identity


def no_writes() -> float:
    """The fence of the adapters: it never opens. Raises: SpecError."""
    raise SpecError("an assessment changes nothing")


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


class NoCluster:
    """No cluster: there are neither Secrets nor accounts."""

    def read(self, namespace: str, name: str) -> tuple[Mapping[str, bytes], str]:
        """Raises: Unreachable."""
        raise Unreachable(f"Secret {namespace}/{name}: an assessment knows no cluster")

    def token(self, namespace: str, name: str, audience: str) -> str:
        """Raises: Unreachable."""
        del audience
        raise Unreachable(f"service account {namespace}/{name}: an assessment knows no cluster")


def no_graph(_access: GraphAccess) -> Graph:
    """Raises: Unreachable."""
    raise Unreachable("an assessment signs in by itself")
