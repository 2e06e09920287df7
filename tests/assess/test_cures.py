"""Whatever is broken or needs attention says what to do about it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exchange_push_operator.assess import cures, verdict
from exchange_push_operator.assess.finding import Finding, Level
from exchange_push_operator.core.plan import Advisory, Plan, fails
from exchange_push_operator.core.probe_errors import cause
from exchange_push_operator.core.reasons import Reason
from lab.assessment import EX1, assessed
from lab.exchange.faults import set_fault
from lab.in_process import Lab, lab

EX2 = "EX2"


def set_up() -> Lab:
    site = lab()
    site.operator().run()
    return site


def fresh(_: Lab) -> None:
    """The whole way of the article lies ahead; see ``troubled``."""


def disabled(site: Lab) -> None:
    site.administrator("Disable-PushNotificationProxy", Confirm=False)
    site.administrator("Set-AuthServer", Identity="MicrosoftSts", Enabled=False, Confirm=False)


def two_auth_servers(site: Lab) -> None:
    url = site.exchange()["authServers"][0]["metadataUrl"]
    site.administrator("New-AuthServer", Name="Second", AuthMetadataUrl=url)


def without_a_certificate(site: Lab) -> None:
    del site.organization.server(EX2).store[site.exchange()["authConfig"]["current"]]


def ends_soon(site: Lab) -> None:
    site.clock.forward(days=1796 - 40)


def expired(site: Lab) -> None:
    site.clock.forward(days=1800)


def fault(name: str, value: object, server: str = EX2) -> Callable[[Lab], None]:
    def switch(site: Lab) -> None:
        set_fault(site.organization, name, value, server=server)

    switch.__name__ = f"{name}_{value}"
    return switch


TROUBLES = (
    fresh,
    disabled,
    two_auth_servers,
    without_a_certificate,
    ends_soon,
    expired,
    fault("outbound_blocked", value=True),
    fault("maintenance", value=True),
    fault("down", value=True),
    fault("clock_skew", 600.0),
    *(
        fault("denied_cmdlets", [name], "")
        for name in ("Get-AuthConfig", "Get-AuthServer", "Enable-PushNotificationProxy")
    ),
)


def troubled(trouble: Callable[[Lab], None]) -> tuple[Finding, ...]:
    site = lab() if trouble is fresh else set_up()
    trouble(site)
    return verdict.findings(assessed(site))


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda one: one.__name__)
def test_every_finding_ends_with_what_to_do(trouble: Callable[[Lab], None]) -> None:
    bad = [one for one in troubled(trouble) if one.level in (Level.BROKEN, Level.ATTENTION)]
    assert bad
    assert [one for one in bad if "; " not in one.text] == []


def test_no_word_of_a_probe_is_without_a_cure() -> None:
    words = (
        *("Missing signing certificate", "AADSTS700024", "AADSTS700027", "user-context"),
        *("AADSTS1", "(404)", "(401)", "(403)", "System.Net.WebException", "nobody knows this"),
    )
    found = {cause(text, None) for text in words}
    assert len(found) == len(words)
    for reason in found:
        assert cures.of_try(reason)
        assert "; " in cures.failed_try(reason)


def test_the_words_of_a_failed_try_are_followed_by_its_cure() -> None:
    site = set_up()
    without_a_certificate(site)
    (section,) = (one for one in verdict.sections(assessed(site)) if one.title.startswith("Trust"))
    texts = {row.name: row.text for row in section.rows}
    words, _, cure = texts["token on ex2.corp.fabrikam.com"].partition("; ")
    assert "Missing signing certificate" in words
    assert cure == cures.of_try(Reason.SIGNING_CERTIFICATE_MISSING)
    assert texts[f"token on {EX1}"] == "succeeded"


def test_a_switched_off_component_is_told_where_no_probe_tells_it() -> None:
    site = set_up()
    disabled(site)
    set_fault(site.organization, "push_component_inactive", value=True, server=EX2)
    server = site.organization.server(EX2)
    told = {one.what: one.text for one in verdict.findings(assessed(site))}
    assert "Set-ServerComponentState" in told[server.fqdn]


def test_a_message_that_says_it_itself_is_left_as_it_is() -> None:
    assert cures.of_stage(Plan(fails(Reason.CLOCK_DIFFERS, "x"))) == ""
    assert cures.of_advisory(Advisory("SeveralAuthServers", "x; keep one")) == ""
    assert cures.with_cure("x; keep one", "") == "x; keep one"
