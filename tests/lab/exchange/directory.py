"""Active Directory's part: objects that every server of the organisation shares.

A change is seen at once by the server it was made through and later by the others
(``lag_seconds``, ``lag_looks``); nothing lags by default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias, TypeVar

FIRST_PARTY = "00000002-0000-0ff1-ce00-000000000000"


@dataclass(frozen=True, slots=True)
class AuthConfig:
    current: str = ""
    previous: str = ""
    next: str = ""
    next_effective: datetime | None = None
    service_name: str = FIRST_PARTY
    realm: str = ""
    when_changed: datetime | None = None
    # what was current before, and until when: processes on the servers remember it for a while
    replaced: str = ""
    replaced_at: datetime | None = None
    name: str = "Auth Configuration"


@dataclass(frozen=True, slots=True)
class AuthServer:
    name: str
    type: str = "MicrosoftACS"
    realm: str = ""
    issuer: str = ""
    metadata_url: str = ""
    enabled: bool = True
    application_identifier: str = ""
    domain_names: tuple[str, ...] = ()
    trust_any_ssl_certificate: bool = False


@dataclass(frozen=True, slots=True)
class PartnerApplication:
    name: str
    application_identifier: str
    enabled: bool = True
    realm: str = ""
    use_auth_server: bool = True


@dataclass(frozen=True, slots=True)
class SettingOverride:
    name: str
    component: str
    section: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PushProxy:
    """The object behind Enable-PushNotificationProxy; its names are from the article's output."""

    enabled: bool = False
    organization: str = ""
    uri: str = ""
    when_changed: datetime | None = None
    name: str = "OnPrem-Proxy"
    display_name: str = "On Premises Proxy app"


Entity: TypeAlias = AuthConfig | AuthServer | PartnerApplication | SettingOverride | PushProxy
Key: TypeAlias = tuple[type[Entity], str]
T = TypeVar("T", AuthConfig, AuthServer, PartnerApplication, SettingOverride, PushProxy)


@dataclass(slots=True)
class _Change:
    key: Key
    value: Entity | None
    origin: str
    time: datetime
    looks: dict[str, int] = field(default_factory=dict)


class Directory:
    """All objects and the changes that have not reached everybody yet."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.lag_seconds = 0.0
        self.lag_looks = 0
        self._clock = clock
        self._base: dict[Key, Entity] = {}
        self._pending: list[_Change] = []

    def look(self, reader: str) -> None:
        """Count a look of a server; replication by looks goes on by these."""
        self._settle()
        for change in self._pending:
            change.looks[reader] = change.looks.get(reader, 0) + 1

    def seen_by(self, reader: str | None) -> dict[Key, Entity]:
        """The objects as one server sees them; None sees the newest state."""
        state = dict(self._base)
        for change in self._pending:
            if reader is None or self._visible(change, reader):
                _apply(state, change)
        return state

    def write(self, key: Key, value: Entity | None, origin: str) -> None:
        self._pending.append(_Change(key, value, origin, self._clock()))
        self._settle()

    def _visible(self, change: _Change, reader: str) -> bool:
        if reader == change.origin:
            return True
        return self._old_enough(change) and (
            self.lag_looks == 0 or change.looks.get(reader, 0) > self.lag_looks
        )

    def _old_enough(self, change: _Change) -> bool:
        return (self._clock() - change.time).total_seconds() >= self.lag_seconds

    def _settle(self) -> None:
        while self._pending and self.lag_looks == 0 and self._old_enough(self._pending[0]):
            _apply(self._base, self._pending.pop(0))


def _apply(state: dict[Key, Entity], change: _Change) -> None:
    if change.value is None:
        state.pop(change.key, None)
    else:
        state[change.key] = change.value


@dataclass(frozen=True, slots=True)
class View:
    """The directory through one server; None for the newest state."""

    directory: Directory
    reader: str | None = None

    def all(self, kind: type[T]) -> list[T]:
        found = self.directory.seen_by(self.reader)
        return [value for value in found.values() if isinstance(value, kind)]

    def find(self, kind: type[T], name: str) -> T | None:
        value = self.directory.seen_by(self.reader).get((kind, name.lower()))
        return value if isinstance(value, kind) else None

    def auth_config(self) -> AuthConfig:
        return self.find(AuthConfig, AuthConfig().name) or AuthConfig()

    def proxy(self) -> PushProxy:
        return self.find(PushProxy, PushProxy().name) or PushProxy()

    def put(self, value: Entity) -> None:
        self.directory.write((type(value), value.name.lower()), value, self.reader or "")

    def remove(self, kind: type[Entity], name: str) -> None:
        self.directory.write((kind, name.lower()), None, self.reader or "")
