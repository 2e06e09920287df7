"""What the tests read out of the lab's state."""

from __future__ import annotations

from typing import Any

from lab.microsoft365.clouds import EXCHANGE_ONLINE
from lab.microsoft365.sample import FABRIKAM
from lab.running import RunningLab


def servers(lab: RunningLab) -> list[dict[str, Any]]:
    """The Exchange servers."""
    found: list[dict[str, Any]] = lab.control.state()["exchange"]["servers"]
    return found


def first_party_keys(lab: RunningLab) -> list[dict[str, Any]]:
    """The key credentials of the first-party principal in fabrikam.com."""
    for tenant in lab.control.state()["microsoft365"]["tenants"]:
        for holder in tenant["directory"]:
            if (tenant["tenantId"], holder["appId"]) == (FABRIKAM, EXCHANGE_ONLINE):
                keys: list[dict[str, Any]] = holder["keys"]
                return keys
    raise LookupError(EXCHANGE_ONLINE)


def assert_configured(lab: RunningLab) -> None:
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


def is_configured(lab: RunningLab) -> bool:
    """The same, for those who wait."""
    assert_configured(lab)
    return True


def exchange_changes(lab: RunningLab) -> list[str]:
    """The changes that the operator has made in Exchange."""
    changes = lab.control.state()["exchange"]["changes"]
    return [one["cmdlet"] for one in changes if one["account"] == "CORP\\svc-epo"]
