"""Auth server: adopt whichever serves the tenant; else make or mend the declared one."""

from __future__ import annotations

from typing import Any

import pytest

from answers import (
    CONTOSO,
    FABRIKAM,
    METADATA,
    advised,
    auth_server,
    config,
    evo_sts,
    missing,
    plan_of,
    seen,
    told,
)
from exchange_push_operator.core.errors import CmdletFailed, PushError, Throttled, Unreachable
from exchange_push_operator.core.organization import AUTH_SERVERS
from exchange_push_operator.stages.auth_server import STAGE

LATER = f"https://accounts.accesscontrol.windows.net/{FABRIKAM}/metadata/json/1"
CONTOSO_URL = METADATA.replace("fabrikam", "contoso")
NEW = f"New-AuthServer -Name 'MicrosoftSts' -AuthMetadataUrl '{METADATA}' -Confirm:$false"
ENABLE = "Set-AuthServer -Identity 'MicrosoftSts' -Enabled:$true -Confirm:$false"
CORRECT = f"Set-AuthServer -Identity 'MicrosoftSts' -AuthMetadataUrl '{METADATA}' -Confirm:$false"
BOTH = (
    f"Set-AuthServer -Identity 'MicrosoftSts' -Enabled:$true -AuthMetadataUrl '{METADATA}' "
    "-Confirm:$false"
)
DISTRUST = "Set-AuthServer -Identity 'MicrosoftSts' -TrustAnySSLCertificate:$false -Confirm:$false"
CASES: list[tuple[str, list[dict[str, Any]], Any]] = [
    ("none: the declared one is made", [], ("False", "NotFound", (NEW,))),
    ("as declared", [auth_server()], ("True", "UpToDate", ())),
    ("its name in other letters", [auth_server("microsoftsts")], ("True", "UpToDate", ())),
    ("of the later URL", [auth_server(AuthMetadataUrl=LATER)], ("True", "UpToDate", ())),
    ("not read by Exchange yet", [auth_server(Realm="")], ("True", "UpToDate", ())),
    ("its realm is the domain", [auth_server(Realm="Fabrikam.com")], ("True", "UpToDate", ())),
    ("disabled", [auth_server(Enabled=False)], ("False", "Disabled", (ENABLE,))),
    (
        "of another URL",
        [auth_server(AuthMetadataUrl=CONTOSO_URL)],
        ("False", "OtherMetadataUrl", (CORRECT,)),
    ),
    (
        "without a URL",
        [auth_server(AuthMetadataUrl=None, Realm=None)],
        ("False", "OtherMetadataUrl", (CORRECT,)),
    ),
    (
        "disabled and of another URL: one change",
        [auth_server(AuthMetadataUrl="https://sts.corp/", Enabled=False)],
        ("False", "OtherMetadataUrl", (BOTH,)),
    ),
    ("of another tenant", [auth_server(Realm=CONTOSO)], ("False", "OtherTenant", ())),
    (
        "of another tenant and disabled",
        [auth_server(Realm=CONTOSO, Enabled=False)],
        ("False", "OtherTenant", ()),
    ),
    ("HCW's serves the tenant: adopted", [auth_server("ACS - 1")], ("True", "UpToDate", ())),
    (
        "HCW's is disabled: not adopted",
        [auth_server("ACS - 1", Enabled=False)],
        ("False", "NotFound", (NEW,)),
    ),
    (
        "another tenant's is not adopted",
        [auth_server("ACS - 1", Realm=CONTOSO)],
        ("False", "NotFound", (NEW,)),
    ),
    ("EvoSts is not adopted", [evo_sts()], ("False", "NotFound", (NEW,))),
    (
        "another issuer's tokens do not serve the tenant",
        [auth_server("ACS - 1", IssuerIdentifier="https://sts.windows.net/")],
        ("False", "NotFound", (NEW,)),
    ),
    (
        "ours is disabled, HCW's serves: nothing is doubled",
        [auth_server(Enabled=False), auth_server("ACS - 1")],
        ("True", "UpToDate", ()),
    ),
    (
        "the declared name is another tenant's, HCW's serves",
        [auth_server(Realm=CONTOSO), auth_server("ACS - 1")],
        ("True", "UpToDate", ()),
    ),
    (
        "trusts any certificate: corrected",
        [auth_server(TrustAnySSLCertificate=True)],
        ("False", "TrustsAnyCertificate", (DISTRUST,)),
    ),
    (
        "trusts any certificate and is disabled: one change",
        [auth_server(TrustAnySSLCertificate=True, Enabled=False)],
        ("False", "Disabled", (DISTRUST.replace("e -C", "e -Enabled:$true -C"),)),
    ),
    (
        "HCW's trusts any certificate: reported, not rewritten",
        [auth_server("ACS - 1", TrustAnySSLCertificate=True)],
        ("False", "TrustsAnyCertificate", ()),
    ),
    (
        "of another tenant and trusts any certificate: not touched",
        [auth_server(Realm=CONTOSO, TrustAnySSLCertificate=True)],
        ("False", "OtherTenant", ()),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_the_auth_server(rows: list[dict[str, Any]], expected: object) -> None:
    plan = plan_of(STAGE, config(), seen(organization={AUTH_SERVERS: rows}))
    assert told(plan) == expected
    assert advised(plan) == set()


ACS = "https://accounts.accesscontrol.windows.net"
SAME = [
    f"{ACS}/metadata/json/1/?realm=fabrikam.com",
    f"{ACS}/metadata/json/1?realm=fabrikam.com",
    f"{ACS}/metadata/json/1/?realm=FABRIKAM.com",
    f"{ACS}/metadata/json/1/?realm={FABRIKAM}",
    f"{ACS}/metadata/json/1/?v=1&realm=fabrikam.com",
    f"{ACS}/metadata/json/1/?realm=fabrikam.com&v=1",
    f"{ACS}/fabrikam.com/metadata/json/1",
    f"{ACS}/fabrikam.com/metadata/json/1/",
    f"{ACS}/{FABRIKAM}/metadata/json/1",
    f"{ACS}/{FABRIKAM.upper()}/metadata/json/1",
    f"{ACS.replace('accounts', 'Accounts')}:443/{FABRIKAM}/metadata/json/1",
    f"{ACS.upper()}/metadata/json/1/?realm=fabrikam.com",
]
OTHER = [
    f"{ACS}/metadata/json/1/",
    f"{ACS}/metadata/json/2/?realm=fabrikam.com",
    f"{ACS}/contoso.com/metadata/json/1",
    f"{ACS}/{CONTOSO}/metadata/json/1",
    f"{ACS.replace('https', 'http')}/{FABRIKAM}/metadata/json/1",
    f"{ACS}.example/{FABRIKAM}/metadata/json/1",
    f"{ACS}:8443/{FABRIKAM}/metadata/json/1",
    f"{ACS}/{FABRIKAM}/{FABRIKAM}/metadata/json/1",
]


@pytest.mark.parametrize("declared", SAME[::4])
@pytest.mark.parametrize("url", SAME)
def test_another_spelling_of_the_same_address_is_no_drift(url: str, declared: str) -> None:
    asked = config({"authServer": {"metadataUrl": declared}})
    observed = seen(asked, organization={AUTH_SERVERS: [auth_server(AuthMetadataUrl=url)]})
    assert told(plan_of(STAGE, asked, observed)) == ("True", "UpToDate", ())


@pytest.mark.parametrize("url", OTHER)
def test_another_address_is_drift(url: str) -> None:
    observed = seen(organization={AUTH_SERVERS: [auth_server(AuthMetadataUrl=url)]})
    assert told(plan_of(STAGE, config(), observed)) == ("False", "OtherMetadataUrl", (CORRECT,))


def test_of_several_that_serve_the_tenant_the_one_that_checks_certificates_counts() -> None:
    rows = [auth_server("ACS - 1", TrustAnySSLCertificate=True), auth_server("ACS - 2")]
    plan = plan_of(STAGE, config(), seen(organization={AUTH_SERVERS: rows}))
    assert told(plan) == ("True", "UpToDate", ())
    assert advised(plan) == {"SeveralAuthServers"}


def test_one_of_somebody_else_that_trusts_any_certificate_comes_with_its_cure() -> None:
    row = auth_server("ACS - 1", TrustAnySSLCertificate=True)
    message = plan_of(STAGE, config(), seen(organization={AUTH_SERVERS: [row]})).finding.message
    assert "Set-AuthServer -Identity 'ACS - 1' -TrustAnySSLCertificate:$false" in message


def test_a_document_that_exchange_cannot_read_is_told_from_other_failures() -> None:
    error = CmdletFailed("the server's own words", kind="AuthMetadataBuilderException")
    finding = STAGE.explain(error)
    assert finding is not None
    assert finding.reason == "MetadataDownloadFailed"
    assert "InternetWebProxy" in finding.message
    assert "the server's own words" in finding.message
    assert STAGE.explain(missing("ADObjectAlreadyExistsException")) is None
    assert STAGE.explain(Unreachable("no route")) is None


def test_another_name_may_be_declared() -> None:
    asked = config({"authServer": {"name": "Tenant's own"}})
    observed = seen(asked, organization={AUTH_SERVERS: []})
    (step,) = plan_of(STAGE, asked, observed).steps
    assert step.text.startswith("New-AuthServer -Name 'Tenant''s own' ")


def test_several_that_serve_the_tenant_are_an_advisory_and_none_is_removed() -> None:
    rows = [auth_server("ACS - 2"), auth_server("ACS - 1")]
    plan = plan_of(STAGE, config(), seen(organization={AUTH_SERVERS: rows}))
    assert told(plan) == ("True", "UpToDate", ())
    assert advised(plan) == {"SeveralAuthServers"}
    assert plan.finding.message == "auth server ACS - 1 serves the tenant"


@pytest.mark.parametrize(
    ("document", "rows", "expected"),
    [
        ({"realm": CONTOSO}, [], ("False", "TenantMismatch", ())),
        ({"realm": CONTOSO}, [auth_server()], ("False", "TenantMismatch", ())),
        ({}, [], ("Unknown", "Unreachable", ())),
        ({"realm": "*"}, [], ("Unknown", "Unreachable", ())),
        (Unreachable("no route"), [], ("Unknown", "Unreachable", ())),
        (Unreachable("no route"), [auth_server(Enabled=False)], ("Unknown", "Unreachable", ())),
        (Unreachable("no route"), [auth_server()], ("True", "UpToDate", ())),
    ],
    ids=[
        "of another tenant: nothing is made",
        "of another tenant: nothing stays unsaid",
        "that names no tenant confirms nothing",
        "that names a group of tenants confirms nothing",
        "out of reach: nothing is made",
        "out of reach: nothing is mended",
        "out of reach: what is as declared stays so",
    ],
)
def test_the_metadata_document(
    document: dict[str, str] | PushError, rows: list[dict[str, Any]], expected: object
) -> None:
    observed = seen(organization={AUTH_SERVERS: rows}, document=document)
    assert told(plan_of(STAGE, config(), observed)) == expected


def test_a_document_that_does_not_exist_confirms_nothing() -> None:
    observed = seen(organization={AUTH_SERVERS: []})
    gone = {METADATA: None}
    answers = type(observed)(FABRIKAM, observed.cmdlets, documents=gone)
    assert STAGE.observe(config(), answers).published is None


def test_a_throttled_document_is_waited_for() -> None:
    with pytest.raises(Throttled):
        STAGE.observe(config(), seen(document=Throttled("later")))


def test_a_list_that_cannot_be_seen_is_not_empty() -> None:
    with pytest.raises(CmdletFailed):
        STAGE.observe(config(), seen(organization={AUTH_SERVERS: missing("Anything")}))


def test_with_a_declared_tenant_and_no_target_nothing_public_is_asked() -> None:
    asked = config({"tenant": {"tenantId": FABRIKAM}, "principal": {"target": "None"}})
    assert STAGE.looks(asked).metadata == ()
    assert STAGE.looks(config()).metadata == (METADATA,)
    observed = seen(asked, organization={AUTH_SERVERS: []}, document=Unreachable("not asked"))
    own = NEW.replace("realm=fabrikam.com", f"realm={FABRIKAM}")
    assert told(plan_of(STAGE, asked, observed)) == ("False", "NotFound", (own,))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("realm=contoso.com", ("Unknown", "Unreachable", ())),
        (f"realm={CONTOSO}", ("False", "TenantMismatch", ())),
    ],
    ids=["a domain that is not looked up", "another tenant"],
)
def test_without_a_look_only_a_url_that_names_the_tenant_itself_is_trusted(
    url: str, expected: object
) -> None:
    metadata = f"https://accounts.accesscontrol.windows.net/metadata/json/1/?{url}"
    asked = config(
        {
            "tenant": {"tenantId": FABRIKAM},
            "principal": {"target": "None"},
            "authServer": {"metadataUrl": metadata},
        }
    )
    observed = seen(asked, organization={AUTH_SERVERS: []})
    assert told(plan_of(STAGE, asked, observed)) == expected


def test_an_auth_server_of_another_type_is_not_ours() -> None:
    observed = seen(organization={AUTH_SERVERS: [auth_server(Type="AzureAD")]})
    assert told(plan_of(STAGE, config(), observed)) == ("False", "OtherType", ())
