"""One Exchange server: its version, certificate store, components, services and troubles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lab.exchange.certificates import StoredCertificate
from lab.exchange.soap import SHELL_QUOTA

SE_RTM = "15.2.2562.17"
CU3 = (15, 0, 775, 38)
# From these builds on a server can sign as the dedicated application (Microsoft, "Deploy dedicated
# Exchange hybrid app"); 2013 never.
_DEDICATED = ((15, 2, 2562, 17), (15, 2, 1748, 24), (15, 2, 1544, 25), (15, 1, 2507, 55))


@dataclass(slots=True)
class ServerFaults:
    """Switches of one server; ``lab.exchange.faults`` says what each does."""

    down: bool = False
    refused: bool = False
    unresolvable: bool = False
    tls: str = "trusted"
    latency: float = 0.0
    process_start: float = 0.0
    session_start: float = 0.0
    cmdlet_time: float = 0.0
    lost_answers: int = 0
    unauthorized: bool = False
    http_500: int = 0
    http_400: int = 0
    http_503: int = 0
    send_fault: int = 0
    send_fault_delivered: int = 0
    receive_timeout: int = 0
    torn_answers: int = 0
    create_timeout: int = 0
    create_hangs: int = 0
    lose_shells: int = 0
    die_before_change: int = 0
    die_after_change: int = 0
    die_after_answer: int = 0
    stuck_cmdlet: str = ""
    failing_cmdlet: str = ""
    hidden: bool = False
    quota: bool = False
    quota_code: int = SHELL_QUOTA
    second_hop_refused: bool = False
    iis_down: bool = False
    setup_running: bool = False
    maintenance: bool = False
    push_component_inactive: bool = False
    clock_skew: float = 0.0
    probe_missing: bool = False
    health_manager_stopped: bool = False
    health_manager_broken: bool = False
    rpc_down: bool = False
    transport_unreadable: bool = False
    directory_unreadable: bool = False
    outbound_blocked: bool = False
    host_script: str = "missing"


@dataclass(slots=True)
class Server:
    """A server. ``version`` is the true build; ``display`` what Active Directory shows."""

    name: str
    fqdn: str
    clock: Callable[[], datetime]
    version: str = SE_RTM
    display: str = ""
    roles: frozenset[str] = frozenset({"Mailbox"})
    culture: str = "en-US"
    store: dict[str, StoredCertificate] = field(default_factory=dict)
    transport: str = ""
    components: dict[str, str] = field(default_factory=dict)
    site: str = "Default-First-Site-Name"
    internet_web_proxy: str | None = None
    health_manager_started: datetime | None = None
    service_host_started: datetime | None = None
    owa_pool_started: datetime | None = None
    ecp_pool_started: datetime | None = None
    faults: ServerFaults = field(default_factory=ServerFaults)
    followers: list[Callable[[], None]] = field(default_factory=list)

    @property
    def build(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split("."))

    @property
    def admin_display_version(self) -> str:
        major, minor, build, revision = (self.display or self.version).split(".")
        return f"Version {major}.{minor} (Build {build}.{revision})"

    @property
    def controller(self) -> str:
        """The domain controller through which it sees the directory."""
        return f"dc-{self.name.lower()}.{self.fqdn.partition('.')[2]}"

    @property
    def in_scope(self) -> bool:
        """Has it to do with AuthConfig? Mailbox or Client Access of version 15."""
        return self.build[0] == 15 and bool(self.roles & {"Mailbox", "ClientAccess"})

    @property
    def can_sign_as_dedicated(self) -> bool:
        """High enough a build within its own branch (cumulative update)."""
        if self.build >= _DEDICATED[0]:
            return True
        return any(self.build[:3] == low[:3] and self.build >= low for low in _DEDICATED[1:])

    @property
    def has_push_probe(self) -> bool:
        # inferred: the proxy came with CU3, and so did its probe
        return self.build >= CU3 and "Mailbox" in self.roles and not self.faults.probe_missing

    def now(self) -> datetime:
        """The time by this server's clock."""
        return self.clock() + timedelta(seconds=self.faults.clock_skew)

    def shown(self, moment: datetime | None) -> datetime | None:
        """A moment of this server as its clock has it: Windows dates its processes by that."""
        return moment and moment + timedelta(seconds=self.faults.clock_skew)

    def is_called(self, name: str) -> bool:
        return name.lower() in (self.name.lower(), self.fqdn.lower())

    def add(self, certificate: StoredCertificate) -> str:
        self.store[certificate.thumbprint] = certificate
        return certificate.thumbprint

    def tell_followers(self) -> None:
        """A switch was thrown: sockets and look-ups that stand for this server follow it."""
        for follow in tuple(self.followers):
            follow()

    def uses_up(self, name: str) -> bool:
        """Is a fault that counts down due? It is then once less."""
        left: int = getattr(self.faults, name)
        if left:
            setattr(self.faults, name, left - 1)
        return bool(left)

    def health_manager(self) -> datetime | None:
        """When the health manager was started; None where it is stopped."""
        return None if self.faults.health_manager_stopped else self.health_manager_started

    def keeps_what_it_read_before(self, moment: datetime) -> bool:
        """Does a process still run that read the Auth certificate before this moment?"""
        started = (self.service_host_started, self.owa_pool_started, self.ecp_pool_started)
        return any(one is not None and one < moment for one in started)

    def component_states(self) -> dict[str, str]:
        states = {"ServerWideOffline": "Active", "HubTransport": "Active", "Monitoring": "Active"}
        states |= {"PushNotificationsProxy": "Active"} | self.components
        if self.faults.maintenance:
            states |= dict.fromkeys(states, "Inactive")
        if self.faults.push_component_inactive:
            states["PushNotificationsProxy"] = "Inactive"
        return states
