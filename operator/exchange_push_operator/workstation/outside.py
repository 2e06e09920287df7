"""The ways to the outside: the operator's own adapters, behind a fence that never opens."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from exchange_push_operator.adapters import clock
from exchange_push_operator.adapters.ca_bundle import ca_bundle
from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.graph_msal import EntraGraphs
from exchange_push_operator.adapters.http import Https
from exchange_push_operator.adapters.http_proxy import HttpProxy
from exchange_push_operator.adapters.metadata_http import HttpMetadata
from exchange_push_operator.adapters.winrm_transport import WireFactory, open_wire
from exchange_push_operator.core.errors import SpecError, Unreachable


@dataclass(frozen=True, slots=True)
class Outside:
    """Who can be asked."""

    exchanges: WinRMExchanges
    graphs: EntraGraphs
    metadata: HttpMetadata


@contextmanager
def opened(options: argparse.Namespace, wire: WireFactory = open_wire) -> Iterator[Outside]:
    """Open, and close again. Raises: SpecError."""
    with ExitStack() as closing:
        authorities = closing.enter_context(ca_bundle(options.ca_file))
        https = Https(authorities, proxy=_proxy(options), fence=no_writes)
        closing.callback(https.close)
        exchanges = WinRMExchanges(authorities, fence=no_writes, protocol_factory=wire)
        closing.callback(exchanges.close)
        yield Outside(exchanges, EntraGraphs(https, clock.now), HttpMetadata(https))


def no_writes() -> float:
    """The fence that lets nothing through, below all that decides not to write."""
    raise Unreachable("this command changes nothing")


def _proxy(options: argparse.Namespace) -> HttpProxy | None:
    url, credentials = options.entra_proxy, options.entra_proxy_credentials
    if credentials and not (url or "").startswith("https:"):
        message = "--entra-proxy-credentials needs an --entra-proxy of https: http shows passwords"
        raise SpecError(message)
    return HttpProxy(url, credentials) if url else None
