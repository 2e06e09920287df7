"""Safety rules 1 to 4 in any organisation, whatever goes wrong, and at whatever moment.

A small number of stories here; `make nightly` tells ten thousand.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from exchange_push_operator.core.config import EXCHANGE_ONLINE
from lab.exchange.chain import walk
from lab.in_process import Lab
from lab.microsoft365.sample import CONTOSO, principal
from reliability.any_story import Story, stories
from reliability.told import Telling

pytestmark = pytest.mark.lab


def foreign(outside: Lab) -> dict[str, Any]:
    """What belongs to others, or has another purpose, and stays as it is (rules 3 and 4)."""
    exchange = outside.exchange()
    return {
        "auth servers": [
            one
            for one in exchange["authServers"]
            if one["name"] != "MicrosoftSts" or one["realm"] == CONTOSO
        ],
        "partner applications": [
            {**one, "enabled": None} for one in exchange["partnerApplications"]
        ],
        "overrides": exchange["settingOverrides"],
        "SMTP": {one["name"]: one["transportCertificate"] for one in exchange["servers"]},
    }


def certificates(outside: Lab) -> set[tuple[str, str, bool]]:
    """Server, thumbprint, and whether the key is there."""
    return {
        (server.name, held.thumbprint, with_key)
        for server in outside.organization.servers.values()
        for held in server.store.values()
        for with_key in {False, held.key is not None}
    }


def keys(outside: Lab) -> dict[str, dict[str, Any]]:
    return {
        key["keyId"]: key
        for key in principal(outside.microsoft365, EXCHANGE_ONLINE).state()["keys"]
    }


def made_by_us(outside: Lab) -> set[str]:
    return {
        held.thumbprint
        for server in outside.organization.servers.values()
        for held in server.store.values()
        if held.friendly_name.startswith("PushAuth")
    }


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(stories)
def test_rules_01_to_04_hold_in_any_story_and_all_of_them_come_to_rest(story: Story) -> None:
    telling = Telling(story.start.lab(), story.faults, story.passes)
    outside = telling.outside
    others, stores, held = foreign(outside), certificates(outside), keys(outside)
    telling.play()
    assert foreign(outside) == others
    assert certificates(outside) >= stores
    assert keys(outside).items() >= held.items()
    assert len(made_by_us(outside)) <= 1
    ours = [key["thumbprint"] for id_, key in keys(outside).items() if id_ not in held]
    assert len(ours) == len(set(ours))
    what_is_said_is_true(outside)


def what_is_said_is_true(outside: Lab) -> None:
    """Nothing is planned, or it is said why it is not performed; and Ready is true."""
    if outside.status["plannedChanges"]:
        # What is planned and not performed waits for somebody, and is said to.
        waits = outside.condition("InSync")[1] in ("ChangeRefused", "ChangeFailed", "Contended")
        assert waits or outside.condition("PrerequisitesMet")[0] == "False"
    else:
        assert outside.condition("InSync") == ("True", "NoDrift")
    proved = outside.condition("Verified") == ("True", "ProbeSucceeded")
    if proved and outside.exchange()["proxy"]["enabled"]:
        for row in outside.status["servers"]:
            walk(outside.organization, outside.organization.server(row["name"]))
