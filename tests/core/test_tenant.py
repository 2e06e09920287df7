"""Which tenant a domain belongs to, and when two metadata URLs are one."""

from __future__ import annotations

from typing import Any

import pytest

from answers import CONTOSO, FABRIKAM, METADATA, config
from exchange_push_operator.core import tenant
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.reasons import Reason

HOST = "https://accounts.accesscontrol.windows.net"
LATER = f"{HOST}/fabrikam.com/metadata/json/1"


@pytest.mark.parametrize(
    "other",
    [
        METADATA,
        METADATA.upper().replace("HTTPS", "https"),
        f"{HOST}/metadata/json/1?realm=fabrikam.com",
        f"{HOST}/metadata/json/1/?realm={FABRIKAM}",
        f"{HOST}/metadata/json/1/?realm={FABRIKAM.upper()}",
        LATER,
        f"{LATER}/",
        f"{HOST}/{FABRIKAM}/metadata/json/1",
        f"{HOST}/{FABRIKAM.upper()}/metadata/json/1/",
        f"{HOST}:443/fabrikam.com/metadata/json/1",
    ],
)
def test_two_spellings_of_one_address(other: str) -> None:
    for left, right in ((METADATA, other), (other, METADATA)):
        assert tenant.same_metadata(left, right, domain="Fabrikam.com", tenant_id=FABRIKAM)


@pytest.mark.parametrize(
    "other",
    [
        "",
        HOST,
        f"{HOST}/metadata/json/1",
        f"{HOST}/metadata/json/1/?realm=contoso.com",
        f"{HOST}/metadata/json/1/?realm={CONTOSO}",
        f"{HOST}/contoso.com/metadata/json/1",
        f"{HOST}/fabrikam.com/metadata/json/2",
        f"{HOST}/fabrikam.com/fabrikam.com/metadata/json/1",
        f"{HOST}/contoso.com/metadata/json/1/?realm=fabrikam.com",
        f"{HOST}.evil.example/fabrikam.com/metadata/json/1",
        f"{HOST}:8443/fabrikam.com/metadata/json/1",
        f"{HOST.replace('https', 'http')}/fabrikam.com/metadata/json/1",
        f"https://user@{HOST[8:]}/fabrikam.com/metadata/json/1",
        "https://login.microsoftonline.com/fabrikam.com/metadata/json/1",
    ],
)
def test_two_addresses(other: str) -> None:
    for left, right in ((METADATA, other), (other, METADATA)):
        assert not tenant.same_metadata(left, right, domain="fabrikam.com", tenant_id=FABRIKAM)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"issuer": f"https://login.microsoftonline.com/{FABRIKAM}/v2.0"}, FABRIKAM),
        ({"issuer": f"https://sts.windows.net/{FABRIKAM.upper()}/"}, FABRIKAM),
        ({"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"}, None),
        ({"issuer": None}, None),
        ({}, None),
    ],
    ids=["v2.0", "v1.0", "common", "empty", "without an issuer"],
)
def test_the_tenant_of_an_openid_configuration(
    document: dict[str, Any], expected: str | None
) -> None:
    assert tenant.issuer_tenant(document) == expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"realm": FABRIKAM.upper()}, FABRIKAM),
        ({"realm": "*"}, None),
        ({"realm": f"{FABRIKAM}x"}, None),
        ({"realm": None}, None),
        ({}, None),
    ],
    ids=["a tenant", "a group of tenants", "more than an id", "empty", "without one"],
)
def test_the_realm_of_a_metadata_document(document: dict[str, Any], expected: str | None) -> None:
    assert tenant.realm(document) == expected


def test_the_openid_configuration_is_published_by_the_cloud() -> None:
    url = tenant.openid_configuration_url(config(), "fabrikam.com")
    end = "/fabrikam.com/v2.0/.well-known/openid-configuration"
    assert url == f"https://login.microsoftonline.com{end}"
    china = config(
        {
            "tenant": {"cloud": "China", "tenantId": FABRIKAM},
            "authServer": {"metadataUrl": "https://x.example/"},
            "proxy": {"state": "Disabled"},
        }
    )
    url = tenant.openid_configuration_url(china, "fabrikam.com")
    assert url == f"https://login.partner.microsoftonline.cn{end}"


@pytest.mark.parametrize(
    ("declared", "earlier"),
    [(FABRIKAM, None), (FABRIKAM, CONTOSO), (None, FABRIKAM), (None, None)],
    ids=["as declared", "as declared, corrected since", "as before", "the first time"],
)
def test_a_tenant_is_confirmed(declared: str | None, earlier: str | None) -> None:
    asked = config({"tenant": {"tenantId": declared}}, {"tenantId": earlier} if earlier else {})
    tenant.confirm(asked, FABRIKAM, "the token")


@pytest.mark.parametrize(
    ("declared", "earlier", "field"),
    [(CONTOSO, None, r"spec\.tenant\.tenantId"), (None, CONTOSO, r"status\.tenantId")],
    ids=["declared", "of an earlier day"],
)
def test_another_tenant_than_the_one(declared: str | None, earlier: str | None, field: str) -> None:
    asked = config({"tenant": {"tenantId": declared}}, {"tenantId": earlier} if earlier else {})
    with pytest.raises(Refused, match=f"the token names tenant {FABRIKAM}, {field} is") as refused:
        tenant.confirm(asked, FABRIKAM, "the token")
    assert refused.value.reason is Reason.TENANT_MISMATCH


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"https://a.example/metadata/json/1/?realm={FABRIKAM}", FABRIKAM),
        (f"https://a.example/{FABRIKAM.upper()}/metadata/json/1", FABRIKAM),
        ("https://a.example/metadata/json/1/?realm=fabrikam.com", None),
        ("https://a.example/fabrikam.com/metadata/json/1", None),
        ("https://a.example/", None),
    ],
    ids=["realm", "segment", "a domain as realm", "a domain as segment", "nothing"],
)
def test_the_tenant_that_a_url_spells_out(url: str, expected: str | None) -> None:
    assert tenant.named(url) == expected
