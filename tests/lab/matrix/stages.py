"""The columns: an organisation that is in order but for one thing, which a stage is to mend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from exchange_push_operator.core.config import EXCHANGE_ONLINE
from lab.exchange.directory import AuthConfig
from lab.exchange.runner import administrator
from lab.in_process import BY_SECRET, Lab, lab
from lab.microsoft365.sample import FABRIKAM
from lab.resources import merged

EX1, EX2 = "ex1.corp.fabrikam.com", "ex2.corp.fabrikam.com"
INTERVAL = 300.0  # seconds; the shortest that a resource may ask for
_SPEC: Mapping[str, Any] = {"interval": "5m", **BY_SECRET}


@dataclass(frozen=True)
class Column:
    """One column. ``mends`` brings it in order; ``needs`` is a cmdlet that RBAC may withhold.

    Where a call to Graph mends it, ``mends`` is the look that the call rests on.
    """

    name: str
    condition: str
    make: Callable[[Mapping[str, Any]], Lab]
    mends: str
    needs: str

    def lab(self, scheme: str = "HTTPS") -> Lab:
        """The organisation as it is before the stage is mended."""
        made = self.make({"exchange": {"connection": {"scheme": scheme}}})
        made.clock.forward(minutes=1)
        return made


def _in_order(spec: Mapping[str, Any]) -> Lab:
    made = lab(merged(_SPEC, spec))
    made.operator().run()
    assert made.condition("Ready") == ("True", "Succeeded")
    made.clock.forward(hours=2)  # beyond what counts as a quarrel about the same setting
    return made


def _partner_disabled(spec: Mapping[str, Any]) -> Lab:
    made = _in_order(spec)
    made.administrator("Set-PartnerApplication", Identity="Exchange Online", Enabled=False)
    return made


def _no_certificate(spec: Mapping[str, Any]) -> Lab:
    made = _in_order(spec)
    for server in made.organization.servers.values():
        server.store.pop(made.exchange()["authConfig"]["current"])
    made.organization.view().put(AuthConfig())
    return made


def _key_missing_on_one(spec: Mapping[str, Any]) -> Lab:
    made = _in_order(spec)
    made.organization.server(EX2).store.pop(made.exchange()["authConfig"]["current"])
    return made


def _no_auth_server(spec: Mapping[str, Any]) -> Lab:
    made = _in_order(spec)
    somebody = administrator(made.organization)
    somebody.run("Remove-AuthServer", Identity="MicrosoftSts", Confirm=False)
    return made


def _key_not_in_entra(spec: Mapping[str, Any]) -> Lab:
    made = _in_order(spec)
    key_id = made.status["principalCredential"]["keyId"]
    assert made.microsoft365.remove_keys(FABRIKAM, EXCHANGE_ONLINE, key_id) == 1
    return made


def _proxy_disabled(spec: Mapping[str, Any]) -> Lab:
    made = _in_order(spec)
    made.administrator("Disable-PushNotificationProxy", Confirm=False)
    return made


def _stale_health_manager(spec: Mapping[str, Any]) -> Lab:
    """The proxy is younger than the service, which nobody was allowed to restart until now."""
    never = {"verification": {"restartHealthManager": "Never"}}
    made = lab(merged(merged(_SPEC, spec), never))
    made.operator().run()
    assert made.condition("Verified") == ("False", "ProbeFailed")
    made.edit(merged(_SPEC, spec))
    made.clock.forward(hours=2)
    return made


COLUMNS = (
    Column(
        "prerequisites",
        "PrerequisitesMet",
        _partner_disabled,
        "Set-PartnerApplication",
        "Set-PartnerApplication",
    ),
    Column(
        "certificate: none",
        "CertificateReady",
        _no_certificate,
        "New-ExchangeCertificate",
        "New-ExchangeCertificate",
    ),
    Column(
        "certificate: not on one",
        "CertificateReady",
        _key_missing_on_one,
        "Copy-ExchangeCertificate",
        "Get-AuthConfig",
    ),
    Column("auth server", "AuthServerReady", _no_auth_server, "New-AuthServer", "New-AuthServer"),
    Column(
        "key in Entra ID",
        "PrincipalCredentialReady",
        _key_not_in_entra,
        "Get-AuthConfig",
        "Get-AuthConfig",
    ),
    Column(
        "proxy",
        "ProxyReady",
        _proxy_disabled,
        "Enable-PushNotificationProxy",
        "Enable-PushNotificationProxy",
    ),
    Column(
        "verification",
        "Verified",
        _stale_health_manager,
        "Restart-Service",
        "Invoke-MonitoringProbe",
    ),
)
