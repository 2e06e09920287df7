"""Proxy: enable, correct or disable it; never guess where it cannot be seen."""

from __future__ import annotations

from typing import Any

import pytest

from answers import NOW, PUSH, advised, config, missing, plan_of, proxy, seen, stored_proxy, told
from exchange_push_operator.core.errors import CmdletFailed, Unreachable
from exchange_push_operator.core.push_proxy import DIRECTORY, LOOKS, WHAT_IF
from exchange_push_operator.stages.proxy import STAGE

ENABLE = f"Enable-PushNotificationProxy -Organization 'fabrikam.com' -Uri '{PUSH}' -Confirm:$false"
DISABLE = "Disable-PushNotificationProxy -Confirm:$false"
UP_TO_DATE = ("True", "UpToDate", ())
DISABLED = config({"proxy": {"state": "Disabled"}})
UNMANAGED = config({"proxy": {"state": "Unmanaged"}})


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (proxy(), UP_TO_DATE),
        (proxy(Organization="FABRIKAM.com", Uri=f"{PUSH.upper()}/"), UP_TO_DATE),
        (proxy(Enabled=False), ("False", "Disabled", (ENABLE,))),
        (
            proxy(Enabled=False, Organization=None, Uri=None),
            ("False", "Disabled", (ENABLE,)),
        ),
        (proxy(Organization="contoso.com"), ("False", "OtherOrganization", (ENABLE,))),
        (proxy(Organization=None), ("False", "OtherOrganization", (ENABLE,))),
        (proxy(Uri="https://elsewhere.example/"), ("False", "OtherOrganization", (ENABLE,))),
        (proxy(Uri=PUSH.replace("https", "http")), ("False", "OtherOrganization", (ENABLE,))),
        (proxy(Uri=None), ("False", "OtherOrganization", (ENABLE,))),
    ],
    ids=[
        "as declared",
        "as declared in other letters",
        "disabled",
        "never enabled",
        "for another organisation",
        "for none",
        "sends elsewhere",
        "sends in the clear",
        "sends nowhere",
    ],
)
def test_a_proxy_that_is_to_be_enabled(row: dict[str, Any], expected: object) -> None:
    plan = plan_of(STAGE, config(), seen(organization={WHAT_IF: [row]}))
    assert told(plan) == expected
    assert advised(plan) == {"OwaForDevicesEnded"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (proxy(), ("False", "StillEnabled", (DISABLE,))),
        (proxy(Organization="contoso.com"), ("False", "StillEnabled", (DISABLE,))),
        (proxy(Enabled=False), UP_TO_DATE),
    ],
    ids=["enabled", "enabled for another organisation", "disabled"],
)
def test_a_proxy_that_is_to_be_disabled(row: dict[str, Any], expected: object) -> None:
    plan = plan_of(STAGE, DISABLED, seen(organization={WHAT_IF: [row]}))
    assert told(plan) == expected
    assert advised(plan) == set()


THERE, OBJECT, ASKED = [stored_proxy()], [proxy()], [proxy(WhenChangedUTC=None)]
ABSENT: list[Any] = []
NOTHING: list[Any] = []
UNREADABLE = missing("DirectoryServicesCOMException")
NOT_OBSERVED = ("Unknown", "NotObserved", ())
NEVER_CONFIGURED = ("False", "Disabled", (ENABLE,))


@pytest.mark.parametrize(
    ("shown", "directory", "expected"),
    [
        (OBJECT, THERE, UP_TO_DATE),
        (OBJECT, UNREADABLE, UP_TO_DATE),
        (OBJECT, ABSENT, NOT_OBSERVED),
        (ASKED, THERE, NOT_OBSERVED),
        (ASKED, UNREADABLE, NOT_OBSERVED),
        (ASKED, ABSENT, NEVER_CONFIGURED),
        (NOTHING, THERE, NOT_OBSERVED),
        (NOTHING, UNREADABLE, NOT_OBSERVED),
        (NOTHING, ABSENT, NEVER_CONFIGURED),
    ],
    ids=[
        "the stored object is shown",
        "the stored object is shown, nothing contradicts",
        "an object is shown that the directory does not have",
        "what was asked is shown, not what is stored",
        "what was asked may be shown",
        "what was asked is shown where nothing is stored",
        "what is stored is not shown",
        "nobody shows anything",
        "neither has one: never configured",
    ],
)
def test_what_is_shown_and_what_the_directory_has(
    shown: Any, directory: Any, expected: object
) -> None:
    observed = seen(organization={WHAT_IF: shown, DIRECTORY: directory})
    assert told(plan_of(STAGE, config(), observed)) == expected


def test_a_proxy_that_was_never_configured_is_disabled_enough() -> None:
    observed = seen(DISABLED, organization={WHAT_IF: [], DIRECTORY: []})
    assert told(plan_of(STAGE, DISABLED, observed)) == UP_TO_DATE


def test_a_proxy_that_nothing_shows_is_not_disabled_on_a_guess() -> None:
    observed = seen(DISABLED, organization={WHAT_IF: ASKED})
    assert told(plan_of(STAGE, DISABLED, observed)) == NOT_OBSERVED


def test_a_proxy_that_cannot_be_looked_at_is_not_absent() -> None:
    with pytest.raises(CmdletFailed):
        STAGE.observe(config(), seen(organization={WHAT_IF: missing()}))


def test_an_unmanaged_proxy_is_not_even_looked_at() -> None:
    assert STAGE.looks(UNMANAGED).organization == ()
    assert STAGE.looks(config()).organization == LOOKS
    observed = seen(UNMANAGED, organization={WHAT_IF: missing()})
    assert told(plan_of(STAGE, UNMANAGED, observed)) == ("True", "NotManaged", ())


@pytest.mark.parametrize(
    ("asked", "row", "expected"),
    [
        (config(), proxy(), (DISABLE,)),
        (config(), proxy(Enabled=False), ()),
        (config(), proxy(Organization="contoso.com"), ()),
        (DISABLED, proxy(), ()),
        (UNMANAGED, proxy(), ()),
    ],
    ids=[
        "that is as declared is disabled",
        "that is disabled already stays so",
        "that somebody pointed elsewhere is theirs",
        "that was to be disabled is not touched",
        "that was not managed is not touched",
    ],
)
def test_on_deletion_a_proxy(asked: Any, row: dict[str, Any], expected: object) -> None:
    observed = STAGE.observe(asked, seen(asked, organization={WHAT_IF: [row]}))
    assert tuple(step.text for step in STAGE.retire(asked, observed, NOW).steps) == expected


def test_on_deletion_a_proxy_that_is_not_shown_is_waited_for() -> None:
    observed = STAGE.observe(config(), seen(organization={WHAT_IF: []}))
    with pytest.raises(Unreachable, match="see to it by hand"):
        STAGE.retire(config(), observed, NOW)
