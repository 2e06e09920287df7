"""The health manager (MSExchangeHM): it reads at its start what it is to probe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.organization import LocalServer
from exchange_push_operator.core.plan import Step

# The article gives the service 120 s to load its probes.
_LOADING = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class HealthManager:
    """When it was started, its server's clock, and when the proxy changed; None is not known."""

    started: datetime | None
    clock: datetime | None
    proxy_changed: datetime | None

    @classmethod
    def on(cls, server: LocalServer, proxy_changed: datetime | None) -> HealthManager:
        """The one of a server that described itself."""
        return cls(server.health_manager_started, server.time, proxy_changed)

    @property
    def is_older(self) -> bool:
        """Whether it was started before the proxy changed, and so does not know the proxy."""
        return _before(self.started, self.proxy_changed)

    @property
    def would_stay_older(self) -> bool:
        """Whether its server's clock has not come to the change: a restart would not help."""
        return _before(self.clock, self.proxy_changed)

    def is_loading(self, now: datetime) -> bool:
        """Whether it may be loading its probes, by the clock that dated its start."""
        now = self.clock or now
        return self.started is not None and self.started <= now < self.started + _LOADING


def _before(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and other is not None and one < other


def restart(server: str) -> Step:
    """What the article does to let it know the proxy, on the server that is probed."""
    return Step(
        action="Restart the health manager",
        target=server,
        event="HealthManagerRestarted",
        server=server,
        command=cmdlet("Restart-Service", Name="MSExchangeHM"),
    )


def not_restarted(
    managers: Mapping[str, HealthManager], servers: Iterable[str]
) -> tuple[Step, ...]:
    """Restarts that nobody is seen to have made: where it is still older, or is not seen."""
    older = (name for name in servers if name not in managers or managers[name].is_older)
    return tuple(map(restart, older))
