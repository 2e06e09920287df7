"""What an assessment tells of organisations in many states; nothing is ever changed by it."""

from __future__ import annotations

import copy
import html
import json
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import yaml

from exchange_push_operator.assess import reach
from exchange_push_operator.assess.evidence import Evidence
from exchange_push_operator.assess.finding import Level
from exchange_push_operator.assess.read_only import ReadOnlyGraph
from exchange_push_operator.assess.report import Report, as_json, as_markdown, as_text, judged
from exchange_push_operator.assess.written import as_yaml
from exchange_push_operator.core.clouds import CLOUDS
from exchange_push_operator.core.commands import GraphRequest, cmdlet
from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.core.ports import GraphAccess, Sensitive
from lab.assessment import EX1, assessed
from lab.exchange.build import add_auth_certificate
from lab.exchange.directory import AuthConfig, AuthServer
from lab.exchange.faults import set_fault
from lab.exchange.runner import administrator
from lab.in_process import Lab, lab
from lab.microsoft365.directory import KeyCredential
from lab.microsoft365.in_process import InProcessGraph
from lab.microsoft365.sample import DEDICATED, FABRIKAM, SECRET, principal
from lab.resources import schema, with_defaults

METADATA = "https://accounts.accesscontrol.windows.net/metadata/json/1/?realm=contoso.com"
EX2 = "ex2.corp.fabrikam.com"


def set_up() -> Lab:
    """An organisation that the operator has brought to where the article ends."""
    site = lab()
    site.operator().run()
    assert site.condition("Ready") == ("True", "Succeeded")
    return site


def report(evidence: Evidence) -> Report:
    return judged(evidence, "1.2.3")


def told(evidence: Evidence, level: Level) -> dict[str, str]:
    return {one.what: one.text for one in report(evidence).findings if one.level is level}


def facts(evidence: Evidence, title: str) -> dict[str, str]:
    (section,) = (one for one in report(evidence).sections if one.title == title)
    return {row.name: row.text for row in section.rows}


def outside(site: Lab) -> tuple[Any, Any]:
    return copy.deepcopy(site.exchange()), copy.deepcopy(site.key_credentials())


def apply(site: Lab, evidence: Evidence) -> None:
    """What an administrator does with the file: Manage in place of Observe, kubectl apply."""
    written = yaml.safe_load(as_yaml(evidence, "1.2.3"))
    written["spec"]["managementPolicy"] = "Manage"
    written["metadata"] |= {k: v for k, v in site.resource["metadata"].items() if k != "name"}
    site.resource = with_defaults(written, schema())


def test_a_fresh_organisation_is_broken_and_the_repairs_are_the_article() -> None:
    evidence = assessed(lab())
    assert report(evidence).exit_code == 2
    assert [step.event for step in evidence.steps] == [
        "AuthServerCreated",
        "KeyCredentialAdded",
        "ProxyEnabled",
    ]
    assert "AuthServerReady" in told(evidence, Level.BROKEN)


def test_a_restart_is_planned_only_where_the_operator_would_plan_it() -> None:
    site = set_up()
    site.administrator("Disable-PushNotificationProxy", Confirm=False)
    assert [step.event for step in assessed(site).steps] == ["ProxyEnabled"]


def test_the_probe_is_invoked_where_all_else_is_in_order() -> None:
    tried = facts(assessed(set_up()), "Trust with Microsoft 365")
    assert [tried[f"probe on {name}"] for name in (EX1, EX2)] == ["succeeded", "succeeded"]
    assert f"probe on {EX1}" not in facts(assessed(lab()), "Trust with Microsoft 365")


def test_nothing_is_changed_by_looking() -> None:
    for site in (lab(), set_up()):
        before, changes = outside(site), list(site.organization.changes)
        assessed(site)
        assert outside(site) == before
        assert site.organization.changes == changes


def test_what_the_article_leaves_needs_attention_for_its_shared_principal() -> None:
    evidence = assessed(set_up())
    assert evidence.steps == ()
    assert told(evidence, Level.BROKEN) == {}
    assert set(told(evidence, Level.ATTENTION)) == {"SharedPrincipalDeprecated", "ForeignKeys"}
    assert report(evidence).exit_code == 1


def test_without_a_sign_in_the_rest_is_fine_and_what_was_not_seen_is_said() -> None:
    evidence = assessed(set_up(), tenant=None, entra=False)
    assert report(evidence).exit_code == 0
    assert "--tenant, --client-id" in told(evidence, Level.UNSEEN)["not asked"]
    assert evidence.resource["spec"]["tenant"]["tenantId"] == FABRIKAM
    assert evidence.resource["spec"]["principal"] == {"target": "None"}


def test_a_fresh_organisation_without_a_tenant_says_what_to_add() -> None:
    with pytest.raises(SpecError, match="add --tenant DOMAIN"):
        assessed(lab(), tenant=None, entra=False)


def test_a_domain_of_no_tenant_is_told() -> None:
    with pytest.raises(SpecError, match=r"--tenant fabrikan\.com: Microsoft knows no tenant"):
        assessed(lab(), tenant="fabrikan.com")


def test_the_resource_it_writes_makes_a_fresh_organisation_ready() -> None:
    site = lab()
    apply(site, assessed(site))
    site.operator().run()
    assert site.condition("Ready") == ("True", "Succeeded")
    assert assessed(site).steps == ()


def disable_proxy(site: Lab) -> None:
    site.administrator("Disable-PushNotificationProxy", Confirm=False)


def disable_auth_server(site: Lab) -> None:
    site.administrator("Set-AuthServer", Identity="MicrosoftSts", Enabled=False, Confirm=False)


def disable_partner(site: Lab) -> None:
    name = "Exchange Online"
    site.administrator("Set-PartnerApplication", Identity=name, Enabled=False, Confirm=False)


def lose_certificate(site: Lab) -> None:
    del site.organization.server(EX2).store[site.exchange()["authConfig"]["current"]]


BROKEN = {
    "ProxyEnabled": disable_proxy,
    "AuthServerCorrected": disable_auth_server,
    "PartnerApplicationEnabled": disable_partner,
    "CertificateImported": lose_certificate,
}


@pytest.mark.parametrize("number", range(6))
def test_performing_what_the_resource_plans_leaves_nothing_to_do(number: int) -> None:
    site = set_up()
    events = random.Random(number).sample(sorted(BROKEN), 1 + number % 4)
    for event in events:
        BROKEN[event](site)
    evidence = assessed(site)
    assert sorted(step.event for step in evidence.steps) == sorted(events)
    apply(site, evidence)
    site.operator().run()
    assert site.condition("Ready") == ("True", "Succeeded")
    assert assessed(site).steps == ()


def test_an_organisation_that_signs_as_a_dedicated_application_is_described_with_it() -> None:
    chosen = {"target": "DedicatedApplication", "appId": DEDICATED}
    site = lab({"principal": chosen})
    site.microsoft365.set_fault("accept_dedicated_application", value=True)
    evo_sts = AuthServer(
        name="EvoSts",
        type="AzureAD",
        realm=FABRIKAM,
        metadata_url=f"https://login.windows.net/{FABRIKAM}/federationmetadata/2007-06/x.xml",
        application_identifier=DEDICATED,
    )
    site.organization.view().put(evo_sts)
    administrator(site.organization).run(
        "New-SettingOverride",
        Name="EnableExchangeHybrid3PAppFeature",
        Component="Global",
        Section="ExchangeOnpremAsThirdPartyAppId",
        Parameters=("Enabled=true",),
        Reason="hybrid",
    )
    site.operator().run()
    evidence = assessed(site)
    assert evidence.resource["spec"]["principal"] == chosen
    signs = facts(evidence, "Trust with Microsoft 365")["Exchange signs as"]
    assert signs == f"the dedicated application {DEDICATED}"
    keys = facts(evidence, "Keys in Entra ID")
    assert "current certificate" in keys["dedicated application"]
    assert evidence.steps == ()
    assert told(evidence, Level.BROKEN) == {}


def test_microsofts_silence_is_told_and_exchange_says_whose_tenant_it_is() -> None:
    site = set_up()
    site.microsoft365.set_fault("authority_failure", {"status": 503})
    evidence = assessed(site, entra=False)
    assert "public document" in told(evidence, Level.ATTENTION)["not seen"]
    assert evidence.resource["spec"]["tenant"]["tenantId"] == FABRIKAM


def test_a_server_without_a_way_out_is_named_with_the_cure() -> None:
    site = set_up()
    set_fault(site.organization, "outbound_blocked", value=True, server="EX2")
    evidence = assessed(site)
    text = told(evidence, Level.ATTENTION)[EX2]
    assert "https://outlook.office365.com/ is out of reach (ConnectFailure)" in text
    assert "InternetWebProxy" in text
    assert EX1 not in told(evidence, Level.ATTENTION)


def test_each_server_is_asked_through_its_own_proxy() -> None:
    site = set_up()
    proxy = "http://proxy.corp.fabrikam.com:8080/"
    site.organization.server(EX2).internet_web_proxy = proxy
    evidence = assessed(site)
    assert facts(evidence, "Reach of Microsoft 365")[EX2].startswith(f"through {proxy}")
    asked = [look for server, look in evidence.observed.cmdlets if server == EX2]
    reached = [dict(look.parameters) for look in asked if look.name == "Test-LocalReach"]
    assert {one["Proxy"] for one in reached} == {proxy}
    addresses = reach.addresses(CLOUDS["Global"])
    assert [one["Uri"] for one in reached] == list(addresses)


def test_what_a_server_does_not_hold_is_seen_on_its_line_and_in_the_verdict() -> None:
    site = set_up()
    thumbprint = site.exchange()["authConfig"]["current"]
    del site.organization.server(EX2).store[thumbprint]
    evidence = assessed(site)
    assert "current missing" in facts(evidence, "Servers")[EX2]
    assert "current with its private key" in facts(evidence, "Servers")[EX1]
    assert [step.event for step in evidence.steps] == ["CertificateImported"]
    assert report(evidence).exit_code == 2


def test_a_server_in_maintenance_and_one_that_is_away_are_told() -> None:
    site = set_up()
    set_fault(site.organization, "maintenance", value=True, server="EX1")
    set_fault(site.organization, "down", value=True, server="EX2")
    servers = facts(assessed(site), "Servers")
    assert "in maintenance" in servers[EX1]
    assert "no answer" in servers[EX2]


def test_a_clock_that_is_off_is_told() -> None:
    site = set_up()
    set_fault(site.organization, "clock_skew", value=600.0, server="EX2")
    evidence = assessed(site)
    assert "clock more than 5 minutes off" in facts(evidence, "Servers")[EX2]
    assert "ClockSkew" in told(evidence, Level.ATTENTION)


def test_two_auth_servers_of_one_realm_are_flagged() -> None:
    site = set_up()
    url = site.exchange()["authServers"][0]["metadataUrl"]
    site.administrator("New-AuthServer", Name="Second", AuthMetadataUrl=url)
    evidence = assessed(site)
    assert "one of several" in facts(evidence, "Trust with Microsoft 365")["auth server Second"]
    assert "Second" in told(evidence, Level.ATTENTION)["SeveralAuthServers"]
    assert evidence.steps == ()


def test_every_key_is_beside_its_certificate() -> None:
    (section,) = (
        one for one in report(assessed(set_up())).sections if one.title == "Keys in Entra ID"
    )
    texts = [row.text.partition(": ")[2] for row in section.rows]
    assert texts == [
        "current certificate, ends 2031-10-22",
        "unknown certificate, ends 2027-10-22",
    ]


def test_keys_of_the_previous_and_of_the_next_certificate_are_known() -> None:
    site = set_up()
    former = site.exchange()["authConfig"]["current"]
    current, coming = (add_auth_certificate(site.organization) for _ in range(2))
    held = site.organization.server(EX1).store[coming]
    principal(site.microsoft365).keys += (KeyCredential.of(held.x509, "staged"),)
    effective = site.clock() + timedelta(days=30)
    auth = AuthConfig(current=current, previous=former, next=coming, next_effective=effective)
    site.organization.view().put(auth)
    evidence = assessed(site)
    (section,) = (one for one in report(evidence).sections if one.title == "Keys in Entra ID")
    whose = [row.text.partition(": ")[2].partition(",")[0] for row in section.rows]
    assert whose == ["next certificate", "previous certificate", "unknown certificate"]
    certificates = facts(evidence, "Auth certificates")
    assert list(certificates) == ["current", "next", "previous"]
    assert "becomes current on 2026-12-21" in certificates["next"]
    assert [step.event for step in evidence.steps if step.guard] == ["KeyCredentialAdded"]


def test_a_certificate_that_ends_soon_is_dated_and_comes_before_what_is_news() -> None:
    site = set_up()
    site.clock.forward(days=1796 - 40)
    findings = report(assessed(site)).findings
    (ends,) = (one for one in findings if one.what == "Auth certificate")
    assert ends.level is Level.ATTENTION
    assert ends.on is not None
    assert "stage the next one" in ends.text
    levels = [list(Level).index(one.level) for one in findings]
    assert levels == sorted(levels)


def test_a_sign_in_that_fails_hides_nothing_of_exchange() -> None:
    site = set_up()
    evidence = assessed(site, client_id="00000000-0000-4000-8000-00000000dead")
    assert "no keys" not in facts(evidence, "Keys in Entra ID").values()
    assert told(evidence, Level.BROKEN) == {}
    assert "PrincipalCredentialReady" in told(evidence, Level.ATTENTION)
    assert facts(evidence, "Trust with Microsoft 365")[f"token on {EX1}"] == "succeeded"


@pytest.mark.parametrize(
    ("denied", "what"),
    [
        ("Enable-PushNotificationProxy", "push proxy"),
        ("Get-AuthConfig", "CertificateReady"),
        ("Get-AuthServer", "PrerequisitesMet"),
        ("Get-MonitoringItemIdentity", "Verified"),
        ("Get-PartnerApplication", "PrerequisitesMet"),
        ("Get-ServerComponentState", "PrerequisitesMet"),
        ("Test-LocalReach", EX1),
    ],
)
def test_what_the_account_may_not_see_is_told_and_the_rest_is_seen(denied: str, what: str) -> None:
    site = set_up()
    set_fault(site.organization, "denied_cmdlets", [denied])
    evidence = assessed(site)
    attention = told(evidence, Level.ATTENTION)
    assert what in attention
    assert denied in " ".join(attention.values())
    assert told(evidence, Level.BROKEN) == {}
    assert evidence.steps == ()


def test_graph_is_only_read() -> None:
    cloud = CLOUDS["Global"]
    site = lab()
    access = GraphAccess(
        cloud.authority, cloud.graph, FABRIKAM, "x", Sensitive.of(SECRET), None, None, ""
    )
    graph = ReadOnlyGraph(InProcessGraph(site.microsoft365, access))
    before = site.key_credentials()
    for method in ("PATCH", "POST", "PUT", "DELETE"):
        with pytest.raises(ValueError, match="changes nothing"):
            graph.send(GraphRequest(method, "servicePrincipals/1", {"keyCredentials": []}))
    assert site.key_credentials() == before


def test_the_forms_tell_the_same() -> None:
    made = report(assessed(lab()))
    document = json.loads(as_json(made))
    assert (document["verdict"], document["exitCode"]) == ("broken", 2)
    assert len(document["findings"]) == len(made.findings)
    plain, coloured, markdown = as_text(made), as_text(made, colour=True), as_markdown(made)
    assert "\033[" not in plain
    assert "\033[31mbroken" in coloured
    for one in made.findings:
        assert one.text in plain
        assert one.text in html.unescape(markdown)


def test_a_name_that_somebody_chose_is_no_markup_of_a_ticket() -> None:
    site = lab()
    name = "<img src=x> [here](http://a) *b* `c` &lt; | d\n# e"
    site.administrator("New-AuthServer", Name=name, AuthMetadataUrl=METADATA)
    markdown = as_markdown(report(assessed(site)))
    (line,) = (line for line in markdown.splitlines() if "img src=x" in line)
    assert not set("<[*`") & set(line)
    assert line.count("|") == 4  # three columns
    assert " ".join(name.split()) in html.unescape(line)


def test_a_command_with_backticks_stays_one_code_span() -> None:
    made = report(assessed(lab()))
    step = replace(made.repairs[0][1], command=cmdlet("Set-AuthServer", Identity="a``b`<i>"))
    markdown = as_markdown(replace(made, repairs=(("AuthServerReady", step),), waiting=()))
    assert "``` Set-AuthServer -Identity 'a``b`<i>' ```" in markdown


def test_a_name_with_a_line_end_does_not_leave_the_comments_of_the_file() -> None:
    evidence = assessed(lab())
    plan = evidence.plans["AuthServerReady"]
    step = replace(plan.steps[0], target="x)\nkind: Secret\x85kind: Secret\u2028kind: Secret")
    plans = {**evidence.plans, "AuthServerReady": replace(plan, steps=(step,))}
    text = as_yaml(replace(evidence, plans=plans), "1.2.3")
    assert yaml.safe_load(text) == evidence.resource


def test_no_secret_is_in_what_is_told_or_written() -> None:
    evidence = assessed(set_up())
    for text in (as_text(report(evidence)), as_json(report(evidence)), as_yaml(evidence, "1")):
        assert SECRET not in text


def test_the_file_says_what_it_needs_and_what_its_first_plan_holds() -> None:
    text = as_yaml(assessed(lab()), "1.2.3")
    assert "#   Enable the push notification proxy (fabrikam.com)" in text
    assert "Secret fabrikam-entra (tls.crt, tls.key)" in text
    assert "managementPolicy: Observe" in text
    assert "First plan: empty." in as_yaml(assessed(set_up()), "1.2.3")
