"""Whether each server reaches Microsoft 365, through the proxy that Exchange uses for it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from exchange_push_operator.assess.evidence import Evidence
from exchange_push_operator.assess.finding import Finding, Level, Row, Section
from exchange_push_operator.core import organization
from exchange_push_operator.core.clouds import Cloud
from exchange_push_operator.core.commands import Cmdlet, cmdlet
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.reading import reading

# Answers of a proxy that stands in the way: it wants a sign-in, or found nobody.
_PROXY_SAYS = frozenset({407, 502, 503, 504})


def addresses(cloud: Cloud) -> tuple[str, ...]:
    """Where a server goes for its tokens and with its pushes: the start page of each host."""
    wanted = (cloud.authority, cloud.metadata_url or "", cloud.ews_uri)
    hosts = (urlsplit(url).hostname for url in wanted)
    return tuple(dict.fromkeys(f"https://{host}/" for host in hosts if host))


def looks(cloud: Cloud, observed: Observations, server: str) -> tuple[Cmdlet, ...]:
    """Asked on the server itself, through its own InternetWebProxy."""
    proxy = web_proxy(observed, server)
    return tuple(
        cmdlet("Test-LocalReach", Uri=uri, Proxy=proxy)
        if proxy
        else cmdlet("Test-LocalReach", Uri=uri)
        for uri in addresses(cloud)
    )


def web_proxy(observed: Observations, server: str) -> str:
    """The server's InternetWebProxy; "" for none."""
    for row in observed.organization(organization.EXCHANGE_SERVERS):
        if str(row.get("Fqdn")).lower() == server.lower():
            return str(row.get("InternetWebProxy") or "")
    return ""


def section(evidence: Evidence) -> Section:
    """One row for each server."""
    return Section("Reach of Microsoft 365", tuple(_rows(evidence)))


def _rows(evidence: Evidence) -> Iterator[Row]:
    for server in evidence.observed.answered:
        proxy = web_proxy(evidence.observed, server)
        way = f"through {proxy}" if proxy else "directly"
        trouble = _trouble(evidence, server)
        text = "; ".join(trouble) if trouble else "every address answers"
        yield Row(server, f"{way}: {text}", Level.ATTENTION if trouble else None)


def findings(evidence: Evidence) -> Iterator[Finding]:
    """A server that does not reach an address."""
    for server in evidence.observed.answered:
        trouble = _trouble(evidence, server)
        if trouble:
            yield Finding(
                Level.ATTENTION,
                server,
                f"{', '.join(trouble)}; allow it outbound HTTPS there, or name a proxy "
                "(Set-ExchangeServer -InternetWebProxy)",
            )


def _trouble(evidence: Evidence, server: str) -> list[str]:
    observed, found = evidence.observed, []
    for look in looks(evidence.config.tenant.cloud, observed, server):
        if (server, look) not in observed.cmdlets:
            continue
        why = _why_not(observed, server, look)
        if why:
            found.append(f"{dict(look.parameters)['Uri']} is out of reach ({why})")
    return found


def _why_not(observed: Observations, server: str, look: Cmdlet) -> str:
    """Why an address did not answer; "" where it did."""
    try:
        with reading(server):
            (row,) = observed.server(server, look)
            status = row["Status"]
    except PushError as error:
        return str(error)
    if status is None:
        return str(row.get("Failure") or "no answer")
    return f"HTTP {status} of the proxy" if status in _PROXY_SAYS else ""
