"""What an administrator should know of the servers although nothing is broken."""

from __future__ import annotations

from datetime import timedelta

from exchange_push_operator.core import organization
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.plan import Advisory

# Kerberos turns tickets down beyond this (Windows' default), and so do token issuers.
_CLOCKS_MAY_DIFFER = timedelta(minutes=5)


def advisories(config: PushConfig, observed: Observations) -> tuple[Advisory, ...]:
    """Whatever applies; each names its servers. Raises: Refused, CmdletFailed."""
    unlisted = organization.unlisted(observed, config.servers)
    left_out = [s for s in organization.all_servers(observed) if not s.in_scope]
    told = (
        ("UnlistedServers", [server.described for server in unlisted], _UNLISTED),
        ("ServersLeftOut", [server.described for server in left_out], _LEFT_OUT),
        ("ServersAway", observed.away, "no answer; not counted as ready"),
        ("ServersInMaintenance", organization.in_maintenance(observed), _RESTING),
        ("ClockSkew", skewed(observed), _SKEWED),
    )
    return tuple(
        Advisory(kind, f"{', '.join(sorted(names))}: {text}") for kind, names, text in told if names
    )


_UNLISTED = (
    "the Auth certificate is organization-wide, but spec.exchange.servers does not name them"
)
_LEFT_OUT = "neither looked at nor changed: the Auth certificate does not concern these servers"
_RESTING = "not changed, not probed and not counted meanwhile"
_SKEWED = (
    "the clock is more than 5 minutes off the operator's; Kerberos and tokens fail beyond that: "
    "check the time service there (w32tm /query /status) and on the operator's nodes"
)


def skewed(observed: Observations) -> tuple[str, ...]:
    """Servers whose clock cannot have been right at any moment of the look."""
    if observed.period is None:
        return ()
    began, ended = observed.period
    clocks = {name: organization.local_server(observed, name).time for name in observed.answered}
    return tuple(
        name
        for name, time in clocks.items()
        if time is not None and not began - _CLOCKS_MAY_DIFFER <= time <= ended + _CLOCKS_MAY_DIFFER
    )
