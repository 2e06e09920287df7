"""The installer's policy: what it does not name is not allowed."""

from __future__ import annotations

from typing import Any

import pytest

from answers import CONTOSO, DEDICATED, FABRIKAM, config, dedicated_config
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import Refused, SpecError
from exchange_push_operator.core.policy import Policy, parse_policy
from exchange_push_operator.core.reasons import Reason

ENOUGH: dict[str, Any] = {
    "exchangeHosts": ["*.corp.fabrikam.com"],
    "tenantIds": [FABRIKAM],
    "principals": ["FirstPartyServicePrincipal"],
}
CHINA = {
    "tenant": {"cloud": "China", "tenantId": FABRIKAM},
    "authServer": {"metadataUrl": "https://accounts.accesscontrol.chinacloudapi.cn/x"},
    "proxy": {"uri": "https://partner.outlook.cn/PushNotifications"},
}


def policy(namespace: str = "exchange", **changes: Any) -> Policy:
    return parse_policy({"namespaces": {namespace: {**ENOUGH, **changes}}})


def refusal(checked: Policy, asked: PushConfig) -> str:
    with pytest.raises(Refused) as refused:
        checked.check(asked)
    assert refused.value.reason is Reason.NOT_ALLOWED_BY_POLICY
    return str(refused.value)


def test_what_is_named_is_allowed() -> None:
    policy().check(config())


@pytest.mark.parametrize(
    "document",
    [{}, {"namespaces": {}}, {"namespaces": None}, {"namespaces": {"exchange": {}}}],
    ids=["nothing at all", "no namespace", "namespaces left empty", "no rules"],
)
def test_an_empty_policy_allows_nothing(document: Any) -> None:
    assert refusal(parse_policy(document), config()).startswith(
        "spec.exchange.servers: ex1.corp.fabrikam.com is not allowed for namespace exchange"
    )
    with pytest.raises(Refused):
        parse_policy(document).check_tenant(config(), FABRIKAM)


def test_a_mistyped_tenant_is_not_asked_to_be_allowed_first() -> None:
    mistyped = config({"tenant": {"tenantId": CONTOSO}})
    assert refusal(policy(), mistyped) == (
        f"spec.tenant: {CONTOSO} is not allowed for namespace exchange; where it is mistyped, "
        "delete the resource and make it anew (spec.tenant cannot be corrected), or ask whoever "
        "installed the operator to add it to tenantIds of its policy"
    )


def test_a_service_account_is_allowed_by_its_name() -> None:
    workload = {"serviceAccountRef": {"name": "entra"}}
    credentials = {"clientCertificate": None, "workloadIdentity": workload}
    asked = config({"tenant": {"credentials": credentials}})
    policy(serviceAccounts=["entra"]).check(asked)
    for names in ([], ["other"], ["entr*"], ["*"]):
        assert refusal(policy(serviceAccounts=names), asked).startswith(
            "spec.tenant.credentials.workloadIdentity.serviceAccountRef: entra is not allowed"
        )


@pytest.mark.parametrize(
    ("namespace", "allowed"),
    [("exchange", True), ("*", True), ("other", False), ("exch*", False)],
    ids=["its own", "every one", "another", "a name is no glob"],
)
def test_rules_hold_for_a_namespace(namespace: str, allowed: bool) -> None:  # noqa: FBT001 - a table
    if allowed:
        policy(namespace).check(config())
    else:
        refusal(policy(namespace), config())


def test_the_rules_of_every_namespace_come_beside_its_own() -> None:
    parts = {
        "exchange": {"exchangeHosts": ["*.fabrikam.com"]},
        "*": {**ENOUGH, "exchangeHosts": []},
    }
    parse_policy({"namespaces": parts}).check(config())


@pytest.mark.parametrize(
    ("globs", "allowed"),
    [
        (["*.corp.fabrikam.com"], True),
        (["*.CORP.Fabrikam.com"], True),
        (["ex?.corp.fabrikam.com"], True),
        (["ex1.corp.fabrikam.com", "ex2.corp.fabrikam.com"], True),
        (["*"], True),
        (["ex1.corp.fabrikam.com"], False),
        (["corp.fabrikam.com"], False),
        (["*.corp"], False),
        (["fabrikam"], False),
        (["*.fabrikam.com.evil.example"], False),
        (["ex[13].corp.fabrikam.com"], False),
        ([""], False),
        ([], False),
    ],
    ids=repr,
)
def test_a_glob_stands_for_the_whole_name(globs: list[str], allowed: bool) -> None:  # noqa: FBT001 - a table
    if allowed:
        policy(exchangeHosts=globs).check(config())
    else:
        refusal(policy(exchangeHosts=globs), config())


def test_a_glob_does_not_end_before_the_name_does() -> None:
    evil = {"exchange": {"servers": [{"name": "ex1.corp.fabrikam.com.evil.example"}]}}
    assert "evil.example is not allowed" in refusal(policy(), config(evil))


def test_hosts_are_compared_without_case() -> None:
    policy().check(config({"exchange": {"servers": [{"name": "EX1.Corp.Fabrikam.COM"}]}}))


@pytest.mark.parametrize(
    ("spec", "changes", "where"),
    [
        ({"tenant": {"tenantId": CONTOSO}}, {}, f"spec.tenant: {CONTOSO}"),
        ({}, {"principals": [DEDICATED]}, "spec.principal: FirstPartyServicePrincipal"),
        (
            {"principal": {"target": "DedicatedApplication", "appId": DEDICATED}},
            {},
            f"spec.principal: {DEDICATED}",
        ),
        (
            {"authServer": {"metadataUrl": "https://evil.example/metadata/json/1"}},
            {},
            "spec.authServer.metadataUrl: evil.example",
        ),
        ({"proxy": {"uri": "https://evil.example/"}}, {}, "spec.proxy.uri: evil.example"),
        (CHINA, {"tenantIds": []}, f"spec.tenant: {FABRIKAM}"),
    ],
    ids=["tenant", "principal", "application", "issuer", "push host", "tenant of another cloud"],
)
def test_what_is_not_named_is_refused_by_field_and_value(
    spec: dict[str, Any], changes: dict[str, Any], where: str
) -> None:
    message = refusal(policy(**changes), config(spec))
    assert message.startswith(f"{where} is not allowed for namespace exchange; ")
    correct, ask = message.index("correct"), message.index(", or ask whoever installed")
    assert correct < ask  # a mistyped value does not belong into the policy


@pytest.mark.parametrize(
    ("spec", "changes"),
    [
        ({"tenant": {"tenantId": FABRIKAM.upper()}}, {"tenantIds": [FABRIKAM.upper()]}),
        ({}, {"principals": ["firstpartyserviceprincipal"]}),
        (
            {"principal": {"target": "DedicatedApplication", "appId": DEDICATED.upper()}},
            {"principals": [DEDICATED]},
        ),
        (
            {"principal": {"target": "None"}, "tenant": {"tenantId": FABRIKAM}},
            {"principals": [], "domains": ["Fabrikam.com"]},
        ),
        (
            {"authServer": {"metadataUrl": "https://STS.corp.fabrikam.com:8443/x?y=z"}},
            {"issuerHosts": ["sts.corp.*"]},
        ),
        ({"proxy": {"uri": "https://push.example"}}, {"pushHosts": ["push.example"]}),
        ({"proxy": {"uri": "https://evil.example/", "state": "Disabled"}}, {}),
        (CHINA, {}),
    ],
    ids=[
        "tenants without case",
        "principals without case",
        "applications without case",
        "no target needs no principal",
        "an issuer of the policy",
        "a push host of the policy",
        "a push address that is not used",
        "Microsoft's own hosts of the cloud",
    ],
)
def test_what_is_named_is_allowed_by(spec: dict[str, Any], changes: dict[str, Any]) -> None:
    policy(**changes).check(config(spec))


def test_microsofts_hosts_of_another_cloud_are_not_its_own() -> None:
    china = {"authServer": CHINA["authServer"]}
    assert "accounts.accesscontrol.chinacloudapi.cn" in refusal(policy(), config(china))


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example\\@login.windows.net/metadata",
        "https://login.windows.net@evil.example/",
        "https://login.windows.net:password@evil.example/",
        "https://evil.example#@login.windows.net/",
        "https://login.windows.net\n.evil.example/",
        "http://login.windows.net/metadata",
        "https://[login.windows.net/",
        "https:///metadata",
        "login.windows.net",
        "",
    ],
    ids=repr,
)
def test_a_url_that_two_parsers_may_read_in_two_ways_is_allowed_by_nothing(url: str) -> None:
    everything = policy(issuerHosts=["*"], pushHosts=["*"])
    assert "spec.proxy.uri" in refusal(everything, config({"proxy": {"uri": url or "x"}}))
    if url:
        message = refusal(everything, config({"authServer": {"metadataUrl": url}}))
        assert "spec.authServer.metadataUrl: its value is not allowed" in message


def test_the_tenant_that_the_domain_resolved_to_is_checked_by_itself() -> None:
    policy().check_tenant(config(), FABRIKAM)
    with pytest.raises(Refused, match=f"spec.tenant: {CONTOSO} is not allowed"):
        policy().check_tenant(config(), CONTOSO)


def test_a_dedicated_application_is_allowed_by_its_id_alone() -> None:
    policy(principals=[DEDICATED]).check(dedicated_config())
    refusal(policy(principals=["DedicatedApplication"]), dedicated_config())


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (None, "policy: expected one key"),
        ([], "policy: expected one key"),
        ({"exchange": {}}, "policy: expected one key"),
        ({"namespaces": ["exchange"]}, r"policy\.namespaces: expected a map"),
        ({"namespaces": {"exchange": None}}, r"policy\.namespaces\.exchange: expected a map"),
        ({"namespaces": {"exchange": ["*"]}}, r"policy\.namespaces\.exchange: expected a map"),
        ({"namespaces": {"exchange": {"hosts": []}}}, r"exchange\.hosts: unknown; the keys are"),
        ({"namespaces": {"exchange": {"hosts": [], 1: []}}}, r"exchange\.1: unknown"),
        ({"namespaces": {"exchange": {"tenantIds": "*"}}}, r"exchange\.tenantIds: expected a list"),
        ({"namespaces": {"exchange": {"pushHosts": [1]}}}, r"exchange\.pushHosts: expected a list"),
        ({"namespaces": {"exchange": {"issuerHosts": {"a": 1}}}}, r"issuerHosts: expected a list"),
    ],
    ids=[
        "nothing",
        "a list",
        "another key",
        "namespaces as a list",
        "a namespace left empty",
        "rules as a list",
        "an unknown rule",
        "unknown rules of several kinds",
        "one text for a list",
        "a number in a list",
        "a map for a list",
    ],
)
def test_a_malformed_policy_names_the_place(document: Any, place: str) -> None:
    with pytest.raises(SpecError, match=place):
        parse_policy(document)
