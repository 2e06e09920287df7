"""Prerequisites: the servers can do it, and Exchange trusts Exchange Online as a partner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from answers import (
    DEDICATED,
    EX1,
    EX2,
    EX3,
    FABRIKAM,
    NOW,
    Said,
    advised,
    config,
    days,
    dedicated_config,
    evo_sts,
    local,
    missing,
    override,
    partner,
    plan_of,
    seen,
    server,
    told,
)
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.config import EXCHANGE_ONLINE
from exchange_push_operator.core.errors import CmdletFailed
from exchange_push_operator.core.organization import (
    AUTH_SERVERS,
    EXCHANGE_SERVERS,
    LOCAL_SERVER,
    PARTNER_APPLICATIONS,
    SETTING_OVERRIDES,
)
from exchange_push_operator.core.timestamps import utc_text
from exchange_push_operator.stages.prerequisites import STAGE

ENABLE = "Set-PartnerApplication -Identity 'Exchange Online' -Enabled:$true -Confirm:$false"
MET = ("True", "Met", ())
OLD = "Version 14.3 (Build 123.4)"
CU2 = "Version 15.0 (Build 712.24)"
EDGE = {"IsMailboxServer": False, "IsClientAccessServer": False, "IsEdgeServer": True}
READY_FOR_DEDICATED: Mapping[Cmdlet, Said] = {
    AUTH_SERVERS: [evo_sts(DEDICATED)],
    SETTING_OVERRIDES: [override()],
}


def version(text: str) -> Any:
    return {name: {LOCAL_SERVER: [local(name, Version=text)]} for name in (EX1, EX2)}


def test_an_organisation_as_setup_leaves_it_meets_them() -> None:
    plan = plan_of(STAGE, config(), seen())
    assert told(plan) == MET
    assert advised(plan) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15.0.712.24", ("False", "ServerTooOld", ())),
        ("15.0.775.37", ("False", "ServerTooOld", ())),
        ("15.0.775.38", MET),
        ("15.1.225.42", MET),
        ("15.2.2562.17", MET),
    ],
    ids=["2013 CU2", "a build before CU3", "2013 CU3", "2016", "Subscription Edition"],
)
def test_the_oldest_version_is_2013_cu3(text: str, expected: object) -> None:
    assert told(plan_of(STAGE, config(), seen(servers=version(text)))) == expected


def test_one_server_that_is_too_old_is_named() -> None:
    observed = seen(servers={EX2: {LOCAL_SERVER: [local(EX2, Version="15.0.712.24")]}})
    message = plan_of(STAGE, config(), observed).finding.message
    assert message.startswith(f"{EX2} (Exchange 2013, 15.0.712.24): older than")


def test_a_server_that_is_too_old_counts_although_it_is_not_listed() -> None:
    rows = [server(EX1), server(EX2), server(EX3, AdminDisplayVersion=CU2)]
    plan = plan_of(STAGE, config(), seen(organization={EXCHANGE_SERVERS: rows}))
    assert told(plan) == ("False", "ServerTooOld", ())
    assert plan.finding.message.startswith(f"{EX3} (Exchange 2013, 15.0.712.24): older than")


def test_a_server_that_is_too_old_counts_although_it_is_away() -> None:
    rows = [server(EX1), server(EX2, AdminDisplayVersion=CU2)]
    observed = seen(organization={EXCHANGE_SERVERS: rows}, away=[EX2])
    assert told(plan_of(STAGE, config(), observed)) == ("False", "ServerTooOld", ())


def test_a_server_that_does_not_tell_its_build_is_known_by_active_directory() -> None:
    observed = seen(servers={EX2: {LOCAL_SERVER: [local(EX2, Version=None)]}})
    assert told(plan_of(STAGE, config(), observed)) == MET


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([server(EX1)], "NotAnExchangeServer"),
        ([server(EX1), server(EX2, AdminDisplayVersion=OLD)], "NotAnExchangeServer"),
        ([server(EX1), server(EX2, **EDGE)], "NotAnExchangeServer"),
        ([server(name, IsMailboxServer=False) for name in (EX1, EX2)], "NoMailboxServer"),
        ([server(EX1.upper()), server(EX2, IsMailboxServer=False)], "Met"),
    ],
    ids=[
        "one that Active Directory does not know",
        "one of Exchange 2010",
        "an Edge server",
        "Client Access servers alone",
        "a Mailbox server, in other letters, and a Client Access server",
    ],
)
def test_the_listed_servers(rows: list[dict[str, Any]], reason: str) -> None:
    plan = plan_of(STAGE, config(), seen(organization={EXCHANGE_SERVERS: rows}))
    assert (plan.finding.reason.value, plan.steps) == (reason, ())


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (server(EX2, **EDGE), f"{EX2} is Edge Transport, which"),
        (server(EX2, AdminDisplayVersion=OLD), f"{EX2} is Exchange 2010, which"),
        (server(EX3, Name="EX2"), f"{EX2}: Get-ExchangeServer names this server {EX3};"),
        (server(EX3), f"{EX2}: Get-ExchangeServer names no server of this name;"),
    ],
    ids=["Edge", "Exchange 2010", "another full name", "nobody"],
)
def test_a_listed_name_that_is_no_server_of_ours_says_why(row: dict[str, Any], words: str) -> None:
    plan = plan_of(STAGE, config(), seen(organization={EXCHANGE_SERVERS: [server(EX1), row]}))
    assert plan.finding.message.startswith(words)
    assert plan.finding.message.endswith("correct spec.exchange.servers")


def test_an_exchange_2010_server_that_is_asked_first_is_named_although_it_knows_little() -> None:
    """It has no Get-AuthServer and no Get-PartnerApplication: that is no matter of rights."""
    lacks = missing("CommandNotFoundException")
    said: Mapping[Cmdlet, Said] = {
        EXCHANGE_SERVERS: [server(EX1, AdminDisplayVersion=OLD), server(EX2)],
        **dict.fromkeys((PARTNER_APPLICATIONS, AUTH_SERVERS, SETTING_OVERRIDES), lacks),
    }
    plan = plan_of(STAGE, config(), seen(organization=said))
    assert told(plan) == ("False", "NotAnExchangeServer", ())
    assert plan.finding.message.startswith(f"{EX1} is Exchange 2010")


def test_a_misspelt_name_is_found_at_once_although_nobody_answers_to_it() -> None:
    observed = seen(organization={EXCHANGE_SERVERS: [server(EX1)]}, away=[EX2])
    plan = plan_of(STAGE, config(), observed)
    assert told(plan) == ("False", "NotAnExchangeServer", ())
    assert plan.finding.message.startswith(EX2)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([partner(Enabled=False)], ("False", "PartnerApplicationDisabled", (ENABLE,))),
        ([], ("False", "PartnerApplicationMissing", ())),
        ([partner(Realm=FABRIKAM)], ("False", "PartnerApplicationMissing", ())),
        ([partner(ApplicationIdentifier="x")], ("False", "PartnerApplicationMissing", ())),
        ([partner(ApplicationIdentifier="x", Enabled=False), partner()], MET),
        ([partner(ApplicationIdentifier=None), partner()], MET),
        ([partner(ApplicationIdentifier=EXCHANGE_ONLINE.upper(), Realm=None)], MET),
        ([partner(Enabled=False), partner(Name="Another")], MET),
        (
            [partner(Name="Another", Enabled=False), partner(Enabled=False)],
            ("False", "PartnerApplicationDisabled", (ENABLE,)),
        ),
    ],
    ids=[
        "disabled",
        "missing",
        "one with a realm is another",
        "of another id",
        "among others",
        "beside one without an id",
        "in other letters",
        "one of two is enabled",
        "of two that are disabled that of Setup is enabled",
    ],
)
def test_the_partner_application(rows: list[dict[str, Any]], expected: object) -> None:
    plan = plan_of(STAGE, config(), seen(organization={PARTNER_APPLICATIONS: rows}))
    assert told(plan) == expected


@pytest.mark.parametrize(
    "organization",
    [{AUTH_SERVERS: [evo_sts(DEDICATED)]}, {SETTING_OVERRIDES: [override()]}],
    ids=["EvoSts names an application", "the override is set"],
)
def test_no_key_is_put_on_the_shared_principal_where_the_dedicated_application_is_used(
    organization: Mapping[Cmdlet, Said],
) -> None:
    plan = plan_of(STAGE, config(), seen(organization=organization))
    assert told(plan) == ("False", "DedicatedApplicationInUse", ())


def test_without_a_principal_the_dedicated_application_does_not_matter() -> None:
    asked = config({"principal": {"target": "None"}, "tenant": {"tenantId": FABRIKAM}})
    observed = seen(asked, organization={AUTH_SERVERS: [evo_sts(DEDICATED)]})
    assert told(plan_of(STAGE, asked, observed)) == MET


@pytest.mark.parametrize(
    ("organization", "expected", "cure"),
    [
        (READY_FOR_DEDICATED, MET, ""),
        (
            {AUTH_SERVERS: []},
            ("False", "DedicatedApplicationNotEnabled", ()),
            "run the Hybrid Configuration Wizard",
        ),
        (
            {AUTH_SERVERS: [evo_sts()]},
            ("False", "DedicatedApplicationNotEnabled", ()),
            f"Set-AuthServer -Identity 'EvoSts - 1' -ApplicationIdentifier '{DEDICATED}'",
        ),
        (
            {AUTH_SERVERS: [evo_sts(DEDICATED)]},
            ("False", "DedicatedApplicationNotEnabled", ()),
            "New-SettingOverride",
        ),
    ],
    ids=["complete", "no EvoSts", "EvoSts names no application", "no override"],
)
def test_a_dedicated_target_needs_what_makes_exchange_sign_as_it(
    organization: Mapping[Cmdlet, Said], expected: object, cure: str
) -> None:
    asked = dedicated_config()
    plan = plan_of(STAGE, asked, seen(asked, organization=organization))
    assert told(plan) == expected
    assert cure in plan.finding.message


def test_a_dedicated_target_is_not_claimed_ready_where_a_hotfix_update_cannot_be_seen() -> None:
    asked = dedicated_config()
    cu23 = server(EX3, AdminDisplayVersion="Version 15.1 (Build 2507.6)")
    rows = [server(EX1), server(EX2), cu23]
    observed = seen(asked, organization={**READY_FOR_DEDICATED, EXCHANGE_SERVERS: rows})
    plan = plan_of(STAGE, asked, observed)
    assert told(plan) == ("Unknown", "NotObserved", ())
    assert plan.finding.message.startswith(f"{EX3}: Active Directory does not tell")


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (None, MET),
        (days(-0.9), MET),
        (days(-1), ("Unknown", "Unreachable", ())),
        (days(-3), ("Unknown", "Unreachable", ())),
    ],
    ids=["only now", "for less than the grace period", "for as long", "for longer"],
)
def test_a_server_that_is_away(since: str | None, expected: object) -> None:
    row = {"name": EX2, **({"awaySince": since} if since else {})}
    asked = config(status={"servers": [row]})
    plan = plan_of(STAGE, asked, seen(asked, away=[EX2]))
    assert told(plan) == expected
    assert advised(plan) == {"ServersAway"}


def test_a_server_that_came_back_is_not_overdue() -> None:
    asked = config(status={"servers": [{"name": EX2, "awaySince": days(-3)}]})
    assert told(plan_of(STAGE, asked, seen(asked))) == MET


def test_the_partner_application_is_mended_while_a_server_is_overdue() -> None:
    asked = config(status={"servers": [{"name": EX2, "awaySince": days(-3)}]})
    observed = seen(
        asked, organization={PARTNER_APPLICATIONS: [partner(Enabled=False)]}, away=[EX2]
    )
    plan = plan_of(STAGE, asked, observed)
    assert told(plan) == ("False", "PartnerApplicationDisabled", (ENABLE,))
    assert f"; {EX2}: away for longer than" in plan.finding.message


@pytest.mark.parametrize("since", [None, days(-3)], ids=["only now", "for long"])
def test_ready_stands_on_one_mailbox_server_that_answers(since: str | None) -> None:
    asked = config(status={"servers": [{"name": EX2, "awaySince": since}]})
    rows = [server(EX1, IsMailboxServer=False), server(EX2)]
    observed = seen(asked, organization={EXCHANGE_SERVERS: rows}, away=[EX2])
    plan = plan_of(STAGE, asked, observed)
    assert told(plan) == ("Unknown", "Unreachable", ())
    assert plan.finding.message == f"{EX2}: no Mailbox server answers"


def test_edge_servers_and_older_ones_are_named_and_left_out() -> None:
    rows = [server(EX1), server(EX2), server(EX3, AdminDisplayVersion=OLD, Site=None)]
    rows.append(server("edge1.dmz", Site="", **EDGE))
    plan = plan_of(STAGE, config(), seen(organization={EXCHANGE_SERVERS: rows}))
    assert told(plan) == MET
    (advisory,) = plan.advisories
    assert advisory.type == "ServersLeftOut"
    assert advisory.message.startswith(
        f"edge1.dmz (Edge Transport), {EX3} (Exchange 2010): neither"
    )


@pytest.mark.parametrize(
    ("minutes", "skewed"),
    [(-7, True), (-6, False), (0, False), (10, False), (11, True)],
)
def test_a_clock_that_cannot_be_right_is_an_advisory(minutes: int, skewed: bool) -> None:  # noqa: FBT001 - a table
    """The servers were asked from a minute ago until in five minutes."""
    time = utc_text(NOW + timedelta(minutes=minutes))
    observed = seen(servers={EX2: {LOCAL_SERVER: [local(EX2, TimeUTC=time)]}})
    period = (NOW - timedelta(minutes=1), NOW + timedelta(minutes=5))
    plan = plan_of(STAGE, config(), replace(observed, period=period))
    assert told(plan) == MET
    assert [a.message.split(":")[0] for a in plan.advisories] == ([EX2] if skewed else [])


@pytest.mark.parametrize("time", [None, ""])
def test_a_clock_that_is_not_told_is_not_wrong(time: str | None) -> None:
    observed = seen(servers={EX2: {LOCAL_SERVER: [local(EX2, TimeUTC=time)]}})
    assert plan_of(STAGE, config(), observed).advisories == ()


def test_a_server_that_is_not_listed_is_an_advisory() -> None:
    rows = [server(name) for name in (EX3, EX1, EX2)]
    plan = plan_of(STAGE, config(), seen(organization={EXCHANGE_SERVERS: rows}))
    assert told(plan) == MET
    (advisory,) = plan.advisories
    assert advisory.type == "UnlistedServers"
    assert advisory.message.startswith(f"{EX3} (Exchange SE, site Berlin): ")


@pytest.mark.parametrize(
    "look",
    [EXCHANGE_SERVERS, PARTNER_APPLICATIONS, AUTH_SERVERS, SETTING_OVERRIDES],
    ids=lambda look: look.name,
)
def test_nothing_is_concluded_from_a_look_that_failed(look: Cmdlet) -> None:
    with pytest.raises(CmdletFailed):
        STAGE.observe(config(), seen(organization={look: missing()}))


def test_a_server_that_does_not_describe_itself_is_not_concluded_about() -> None:
    with pytest.raises(CmdletFailed, match="did not describe its server"):
        STAGE.observe(config(), seen(servers={EX2: {LOCAL_SERVER: []}}))


@pytest.mark.parametrize("rows", [[], [server(EX2)]], ids=["no server", "not all servers"])
def test_a_list_of_servers_that_hides_some_is_not_concluded_from(rows: list[Any]) -> None:
    with pytest.raises(CmdletFailed, match="may hide others"):
        STAGE.observe(config(), seen(organization={EXCHANGE_SERVERS: rows}))
