"""What the tests read out of the lab's state."""

from __future__ import annotations

from typing import Any, Protocol

from lab.control_client import Control
from lab.microsoft365.clouds import EXCHANGE_ONLINE
from lab.microsoft365.sample import FABRIKAM

_SINGLE = ("New-ExchangeCertificate", "New-AuthServer", "Enable-PushNotificationProxy")


class HasControl(Protocol):
    """A lab that runs somewhere."""

    @property
    def control(self) -> Control:
        """Its control interface."""
        ...


def servers(lab: HasControl) -> list[dict[str, Any]]:
    """The Exchange servers."""
    found: list[dict[str, Any]] = lab.control.state()["exchange"]["servers"]
    return found


def first_party_keys(lab: HasControl) -> list[dict[str, Any]]:
    """The key credentials of the first-party principal in fabrikam.com."""
    for tenant in lab.control.state()["microsoft365"]["tenants"]:
        for holder in tenant["directory"]:
            if (tenant["tenantId"], holder["appId"]) == (FABRIKAM, EXCHANGE_ONLINE):
                keys: list[dict[str, Any]] = holder["keys"]
                return keys
    raise LookupError(EXCHANGE_ONLINE)


def assert_configured(lab: HasControl) -> None:
    """What the article's administrator would see in Exchange and in the tenant."""
    exchange = lab.control.state()["exchange"]
    current = exchange["authConfig"]["current"]
    holders = [
        server["name"]
        for server in exchange["servers"]
        for held in server["certificates"]
        if held["thumbprint"] == current and held["privateKey"]
    ]
    assert holders == [server["name"] for server in exchange["servers"]]
    (auth_server,) = exchange["authServers"]
    assert auth_server["enabled"]
    assert auth_server["realm"] == FABRIKAM
    thumbprints = [key["thumbprint"] for key in first_party_keys(lab)]
    assert thumbprints.count(current) == 1
    assert len(thumbprints) == 2  # ours and the foreign one
    assert exchange["proxy"]["enabled"]


def is_configured(lab: HasControl) -> bool:
    """The same, for those who wait."""
    assert_configured(lab)
    return True


def exchange_changes(lab: HasControl) -> list[str]:
    """The changes that the operator has made in Exchange."""
    changes = lab.control.state()["exchange"]["changes"]
    return [one["cmdlet"] for one in changes if one["account"] == "CORP\\svc-epo"]


def assert_nothing_twice(lab: HasControl) -> None:
    """One certificate, and each thing was made once."""
    exchange = lab.control.state()["exchange"]
    named = "Microsoft Exchange Server Auth Certificate"
    made = {
        held["thumbprint"]
        for server in exchange["servers"]
        for held in server["certificates"]
        if held["friendlyName"] == named or held["thumbprint"] == exchange["authConfig"]["current"]
    }
    assert made == {exchange["authConfig"]["current"]}
    for server in exchange["servers"]:
        assert len(server["certificates"]) == 2, "the transport certificate and ours"
    assert exchange["authConfig"]["previous"] == ""
    changes = exchange_changes(lab)
    for cmdlet in _SINGLE:
        assert changes.count(cmdlet) == 1, changes
