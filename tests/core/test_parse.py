"""From the API server's object to a PushConfig."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from answers import DEDICATED, FABRIKAM, METADATA, NOW, PUSH, config
from exchange_push_operator.core.clouds import CLOUDS
from exchange_push_operator.core.config import (
    EXCHANGE_ONLINE,
    ProxyState,
    RollOver,
    SecretKey,
    Target,
)
from exchange_push_operator.core.durations import parse_duration
from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.core.parse import parse
from lab.resources import resource


def test_the_example_with_its_defaults() -> None:
    asked = config()
    assert (asked.namespace, asked.name, asked.generation) == ("exchange", "fabrikam", 1)
    assert asked.servers == ("ex1.corp.fabrikam.com", "ex2.corp.fabrikam.com")
    assert (asked.target, asked.app_id) == (Target.FIRST_PARTY, EXCHANGE_ONLINE)
    assert asked.metadata_url == METADATA
    assert (asked.proxy.state, asked.proxy.organization) == (ProxyState.ENABLED, "fabrikam.com")
    assert asked.proxy.uri == PUSH
    assert (asked.connection.scheme, asked.connection.port) == ("HTTPS", 5986)
    assert asked.connection.ca_secret is None
    assert asked.thumbprint is None
    assert asked.timing.interval == timedelta(hours=1)
    assert asked.timing.unreachable_grace == timedelta(hours=24)
    assert asked.verification.restart_health_manager
    assert asked.tenant.credentials_id == "3f2b1c8a-0000-4000-8000-6d1f7c9a5e21"
    assert asked.needs_entra
    switches = (asked.stays_inside, asked.deleting, asked.observe, asked.suspended)
    assert switches == (False, False, False, False)


@pytest.mark.parametrize(
    ("spec", "attribute", "expected"),
    [
        ({"tenant": {"tenantId": FABRIKAM.upper()}}, "tenant.tenant_id", FABRIKAM),
        ({"exchange": {"connection": {"scheme": "HTTP"}}}, "connection.port", 5985),
        ({"exchange": {"connection": {"port": 8443}}}, "connection.port", 8443),
        (
            {"exchange": {"connection": {"caSecretRef": {"name": "ca", "key": "ca.crt"}}}},
            "connection.ca_secret",
            SecretKey("ca", "ca.crt"),
        ),
        (
            {
                "tenant": {
                    "credentials": {
                        "clientCertificate": None,
                        "clientSecret": {"secretRef": {"name": "a", "key": "b"}},
                    }
                }
            },
            "tenant.credentials.client_secret",
            SecretKey("a", "b"),
        ),
        (
            {
                "tenant": {
                    "credentials": {
                        "clientCertificate": None,
                        "workloadIdentity": {"serviceAccountRef": {"name": "entra"}},
                    }
                }
            },
            "tenant.credentials.service_account",
            "entra",
        ),
        ({"certificate": {"thumbprint": "a" * 40}}, "thumbprint", "A" * 40),
        ({}, "roll_over", None),
        (
            {"certificate": {"policy": "Manage", "rotateAfter": "2026-11-21T09:00:00Z"}},
            "roll_over",
            RollOver(timedelta(days=70), timedelta(hours=49), timedelta(days=7), NOW),
        ),
        (
            {"principal": {"target": "DedicatedApplication", "appId": DEDICATED}},
            "app_id",
            DEDICATED,
        ),
        (
            {"proxy": {"organization": "mail.fabrikam.com"}},
            "proxy.organization",
            "mail.fabrikam.com",
        ),
        ({"managementPolicy": "Observe"}, "observe", True),
        ({"deletionPolicy": "Disable"}, "disable_on_delete", True),
        ({"suspend": True}, "suspended", True),
        (
            {"principal": {"target": "None"}, "tenant": {"credentials": None}},
            "tenant.credentials_id",
            "",
        ),
        (
            {"principal": {"target": "None"}, "tenant": {"tenantId": FABRIKAM}},
            "stays_inside",
            True,
        ),
        (
            {"tenant": {"cloud": "USGovernmentL4"}, "proxy": {"state": "Disabled"}},
            "proxy.uri",
            None,
        ),
        (
            {"tenant": {"cloud": "USGovernmentL4"}, "proxy": {"state": "Disabled"}},
            "metadata_url",
            "https://login.microsoftonline.us/fabrikam.com/metadata/json/1",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_value(spec: dict[str, Any], attribute: str, expected: object) -> None:
    value: Any = config(spec)
    for name in attribute.split("."):
        value = getattr(value, name)
    assert value == expected


@pytest.mark.parametrize(
    ("annotation", "suspended"), [("true", True), ("false", False), ("", False)]
)
def test_the_annotation_suspends(annotation: str, suspended: bool) -> None:  # noqa: FBT001 - a table
    annotations = {"exchangepush.dev/suspended": annotation}
    assert config(annotations=annotations).suspended is suspended


def test_a_resource_that_is_being_deleted_says_so() -> None:
    asked = config(deletionTimestamp="2026-11-21T09:00:00Z", finalizers=["a/b"])
    assert asked.deleting
    assert asked.finalizers == ("a/b",)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"tenant": {"cloud": "Mars"}}, r"spec\.tenant\.cloud: Mars is not one of Global, "),
        (
            {"tenant": {"cloud": "Bleu"}},
            r"spec\.authServer\.metadataUrl: required for cloud Bleu",
        ),
        (
            {"tenant": {"cloud": "USGovernmentL5"}},
            r"spec\.proxy\.uri: required for cloud USGovernmentL5",
        ),
        ({"interval": "soon"}, r"spec\.interval: 'soon' is not a duration"),
        ({"retryInterval": ""}, r"spec\.retryInterval: '' is not a duration"),
        ({"timeout": "5 m"}, r"spec\.timeout: '5 m' is not a duration"),
        ({"verification": {"interval": "1d"}}, r"spec\.verification\.interval: '1d'"),
        (
            {"exchange": {"unreachableGracePeriod": "9" * 12 + "h"}},
            r"spec\.exchange\.unreachableGracePeriod: .* longer than any calendar",
        ),
        (
            {"certificate": {"policy": "Manage"}, "principal": {"target": "None"}},
            r"spec\.certificate\.policy: Manage needs a principal",
        ),
        (
            {"certificate": {"policy": "Manage", "renewBefore": "49h"}},
            r"spec\.certificate\.renewBefore: must be longer than activateAfter",
        ),
        ({"principal": {"target": "Both"}}, r"spec: 'Both' is not a valid Target"),
        ({"proxy": {"state": "On"}}, r"spec: 'On' is not a valid ProxyState"),
        ({"principal": {"target": "DedicatedApplication"}}, r"spec: appId is missing"),
        (
            {"exchange": {"connection": {"caSecretRef": {"name": "ca"}}}},
            r"spec: key is missing",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_is_named(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        config(spec)


@pytest.mark.parametrize(
    "path",
    [
        "tenant",
        "tenant.domain",
        "tenant.cloud",
        "exchange",
        "exchange.servers",
        "exchange.connection",
        "exchange.connection.credentialsSecretRef",
        "exchange.unreachableGracePeriod",
        "certificate",
        "authServer",
        "principal",
        "principal.target",
        "principal.dropExpiredKeys",
        "proxy",
        "verification",
        "managementPolicy",
        "suspend",
        "deletionPolicy",
        "interval",
    ],
)
def test_a_field_that_an_older_crd_did_not_fill_in_is_named(path: str) -> None:
    stored = resource()
    parents, _, name = path.rpartition(".")
    part = stored["spec"]
    for parent in filter(None, parents.split(".")):
        part = part[parent]
    del part[name]
    with pytest.raises(SpecError, match=f"spec: {name} is missing; apply the current CRD"):
        parse(stored)


@pytest.mark.parametrize("name", CLOUDS)
def test_every_cloud_signs_in_and_reads_at_hosts_of_its_own(name: str) -> None:
    cloud = CLOUDS[name]
    assert cloud.name == name
    assert cloud.authority.removeprefix("https://") in cloud.issuer_hosts
    if cloud.metadata_url is not None:
        assert cloud.metadata_url.split("/")[2] in cloud.issuer_hosts
        assert "{domain}" in cloud.metadata_url
    if cloud.push_uri is not None:
        assert cloud.push_uri.split("/")[2] in cloud.push_hosts
    assert cloud.ews_uri.split("/")[2] in cloud.push_hosts


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1h30m", 5400), ("500ms", 0.5), ("1.5h", 5400), ("0s", 0), ("24h", 86400)],
)
def test_a_duration_as_kubernetes_writes_it(text: str, seconds: float) -> None:
    assert parse_duration(text, "spec.interval") == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "90", "h", "1d", "-5m", "1h 30m", "5m!", "1.h", "٣x"])
def test_what_is_no_duration_is_said_by_its_field(text: str) -> None:
    with pytest.raises(SpecError, match=r"spec\.timeout: .* is not a duration"):
        parse_duration(text, "spec.timeout")
