"""The world of a plan: the operator's own doors, with nothing behind them that writes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from exchange_push_operator.adapters import clock
from exchange_push_operator.adapters.ca_bundle import ca_bundle
from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.graph_msal import EntraGraphs
from exchange_push_operator.adapters.http import Https
from exchange_push_operator.adapters.http_proxy import HttpProxy
from exchange_push_operator.adapters.metadata_http import HttpMetadata
from exchange_push_operator.core.errors import SpecError, Unreachable
from exchange_push_operator.core.policy import Policy
from exchange_push_operator.core.ports import Secrets, ServiceAccounts
from exchange_push_operator.reconcile import World


@contextmanager
def world(
    options: argparse.Namespace,
    secrets: Secrets,
    accounts: ServiceAccounts,
    policy: Callable[[], Policy],
) -> Iterator[World]:
    """Open, and close again.

    Raises: SpecError.
    """
    with ExitStack() as closing:
        authorities = closing.enter_context(ca_bundle(options.ca_file))
        https = Https(authorities, proxy=_proxy(options), fence=_no_write)
        closing.callback(https.close)
        exchanges = WinRMExchanges(authorities, fence=_no_write)
        closing.callback(exchanges.close)
        yield World(
            secrets=secrets,
            accounts=accounts,
            exchange=exchanges.connect,
            graph=EntraGraphs(https, clock.now).connect,
            metadata=HttpMetadata(https),
            policy=policy,
            clock=clock.now,
            read_only=True,
        )


def _proxy(options: argparse.Namespace) -> HttpProxy | None:
    url, credentials = options.entra_proxy, options.entra_proxy_credentials
    if credentials and not (url or "").startswith("https:"):
        message = "--entra-proxy-credentials needs an --entra-proxy of https: http shows passwords"
        raise SpecError(message)
    return HttpProxy(url, credentials) if url else None


def _no_write() -> float:
    """The fence that lets nothing through, below all that decides not to write."""
    raise Unreachable("a plan writes nothing")
