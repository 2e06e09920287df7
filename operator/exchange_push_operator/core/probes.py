"""What trying the chain out on a server gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from exchange_push_operator.core.plan import Advisory, Finding, Plan, fails, holds, unknown
from exchange_push_operator.core.reasons import Reason

PROBE = "PushNotificationsEnterpriseConnectivityProbe"


class ProbeState(StrEnum):
    """As shown in status.servers[].probe."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    GONE = "ServiceGone"
    NOT_AVAILABLE = "NotAvailable"
    NOT_RUN = "NotRun"


@dataclass(frozen=True, slots=True)
class Probe:
    """A result. ``error`` is the server's own text, scrubbed; "" for a success."""

    state: ProbeState
    error: str = ""


def verdict(probes: Mapping[str, Probe], inactive: frozenset[str]) -> Plan:
    """What the probes of all servers come to; the worst of them decides.

    ``inactive`` are servers in service whose push notification component is not Active.
    """
    by_state: dict[ProbeState, list[str]] = {}
    for server, result in sorted(probes.items()):
        by_state.setdefault(result.state, []).append(server)
    asleep = [server for server in by_state.get(ProbeState.FAILED, ()) if server in inactive]
    if asleep:
        return Plan(_asleep(asleep))
    for state, say in _SAYINGS:
        if state in by_state:
            finding, advisories = say(", ".join(by_state[state]))
            return Plan(finding, advisories=advisories)
    return Plan(holds(Reason.PROBE_SUCCEEDED, "the probe succeeded on every server"))


def _asleep(servers: list[str]) -> Finding:
    return fails(
        Reason.COMPONENT_INACTIVE,
        f"{', '.join(servers)}: the component PushNotificationsProxy is not Active, so the probe "
        f"fails; run Set-ServerComponentState -Identity {servers[0]} -Component "
        "PushNotificationsProxy -State Active -Requester Maintenance (or as whom it was set)",
    )


def _failed(names: str) -> tuple[Finding, tuple[Advisory, ...]]:
    message = f"{names}: the probe failed; status.servers[].probeError has the server's own words"
    return fails(Reason.PROBE_FAILED, message), ()


def _not_run(names: str) -> tuple[Finding, tuple[Advisory, ...]]:
    message = f"{names}: probed once everything before it is as declared"
    return unknown(Reason.WAITS_FOR_CONFIGURATION, message), ()


def _gone(names: str) -> tuple[Finding, tuple[Advisory, ...]]:
    message = f"{names}: the push service answers that it is not there any more"
    advisory = Advisory(
        "ServiceGone",
        "Microsoft 365 does not serve the push endpoint; what remains useful is the certificate, "
        "the auth server and the key: consider spec.proxy.state Unmanaged",
    )
    return fails(Reason.SERVICE_GONE, message), (advisory,)


def _not_available(names: str) -> tuple[Finding, tuple[Advisory, ...]]:
    message = f"{names}: this version of Exchange has no {PROBE}"
    advisory = Advisory("ProbeNotAvailable", f"{message}; nothing confirms that pushes arrive")
    return unknown(Reason.PROBE_NOT_AVAILABLE, message), (advisory,)


_SAYINGS = (
    (ProbeState.FAILED, _failed),
    (ProbeState.NOT_RUN, _not_run),
    (ProbeState.GONE, _gone),
    (ProbeState.NOT_AVAILABLE, _not_available),
)
