"""The resource that describes an organisation: an empty first plan, or exactly the repairs.

An organisation is healthy with choices of its own; then some things are broken, and each has the
one repair that the first plan has to hold.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings

from answers import (
    AUTH,
    CONTOSO,
    DEDICATED,
    EX1,
    EX2,
    EX3,
    FABRIKAM,
    METADATA,
    NEXT,
    NOW,
    PUSH,
    Said,
    auth_config,
    auth_server,
    certificate,
    entry,
    evo_sts,
    held,
    override,
    partner,
    proxy,
    seen,
    server,
    stored_proxy,
)
from any_organization import World, numbers
from exchange_push_operator.assess import first_look
from exchange_push_operator.assess.describe import Known, resource
from exchange_push_operator.core import certificate_store, organization, push_proxy
from exchange_push_operator.core.clouds import CLOUDS
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.parse import parse
from exchange_push_operator.core.plan import Plan
from exchange_push_operator.plan.manifest import completed
from exchange_push_operator.reconcile.judge import judge
from lab.resources import schema, with_defaults

KNOWN = Known(
    domain="fabrikam.com",
    tenant_id=FABRIKAM,
    cloud=CLOUDS["Global"],
    client_id="3f2b1c8a-0000-4000-8000-6d1f7c9a5e21",
    transport="Kerberos",
    scheme="HTTPS",
    port=5986,
    host_script="Streamed",
)
ACS = "https://accounts.accesscontrol.windows.net"


@dataclass
class Site:
    """An organisation as rows, and what its first plan has to hold."""

    names: tuple[str, ...]
    acs: dict[str, Any]
    others: list[dict[str, Any]]
    proxy: dict[str, Any]
    partner: dict[str, Any] = field(default_factory=partner)
    auth: dict[str, Any] = field(default_factory=auth_config)
    overrides: list[dict[str, Any]] = field(default_factory=list)
    stored: list[dict[str, Any]] = field(default_factory=lambda: [stored_proxy()])
    keys: list[dict[str, Any]] = field(default_factory=lambda: [entry()])
    without: str = ""
    repairs: set[str] = field(default_factory=set)

    def organization(self) -> dict[Cmdlet, Said]:
        return {
            organization.EXCHANGE_SERVERS: [server(name) for name in self.names],
            organization.AUTH_SERVERS: [self.acs, *self.others],
            organization.AUTH_CONFIG: [self.auth],
            organization.PARTNER_APPLICATIONS: [self.partner],
            organization.SETTING_OVERRIDES: self.overrides,
            push_proxy.WHAT_IF: [self.proxy],
            push_proxy.DIRECTORY: self.stored,
        }

    def store(self, name: str) -> dict[Cmdlet, Said]:
        rows = [held(certificate(3, subject="EX1"), name="Microsoft Exchange")]
        rows += [] if name == self.without else [held(AUTH), held(NEXT)]
        return {certificate_store.LOCAL_CERTIFICATES: rows}


def healthy(rng: random.Random) -> Site:
    """Choices that organisations make: names, addresses, the application, how many servers."""
    called = rng.choice(["MicrosoftSts", "ACS", "ACS - 3a1b", "Tokens.of_Fabrikam"])
    named = [f"{ACS}/{name}/metadata/json/1" for name in (FABRIKAM, "fabrikam.com")]
    url = rng.choice([METADATA, *named])
    dedicated = rng.random() < 0.5
    others = [evo_sts(DEDICATED if dedicated else "")]
    if rng.random() < 0.5:
        contoso = METADATA.replace("fabrikam", "contoso")
        taken = "MicrosoftSts" if called != "MicrosoftSts" else "Old partner"
        others.append(auth_server(taken, Realm=CONTOSO, AuthMetadataUrl=contoso))
    site = Site(
        names=tuple(rng.sample([EX1, EX2, EX3], rng.randint(1, 3))),
        acs=auth_server(called, AuthMetadataUrl=url),
        others=others,
        proxy=proxy(
            Organization=rng.choice(["fabrikam.com", "Fabrikam.com", "mail.fabrikam.com"]),
            Uri=rng.choice([PUSH, PUSH + "/", PUSH.replace("outlook", "Outlook")]),
        ),
        overrides=[override()] if dedicated else [],
    )
    if rng.random() < 0.3:  # somebody has staged the next one, and its key is there
        site.auth["NextCertificateThumbprint"] = NEXT.thumbprint
        site.keys.append(entry(NEXT, keyId="aaaaaaaa-0000-4000-8000-000000000002"))
    if rng.random() < 0.5:
        site.keys.append(
            entry(certificate(40), keyId="aaaaaaaa-0000-4000-8000-00000000000f", displayName="x")
        )
    return site


def no_partner(site: Site) -> None:
    site.partner["Enabled"] = False
    site.repairs.add("PartnerApplicationEnabled")


def auth_server_off(site: Site) -> None:
    site.acs["Enabled"] = False
    site.repairs.add("AuthServerCorrected")


def auth_server_trusts_anybody(site: Site) -> None:
    site.acs["TrustAnySSLCertificate"] = True
    site.repairs.add("AuthServerCorrected")


def metadata_of_nobody(site: Site) -> None:
    site.acs["AuthMetadataUrl"] = "https://sts.example.com/metadata/json/1"
    site.repairs.add("AuthServerCorrected")


def no_key(site: Site) -> None:
    site.keys = [key for key in site.keys if key["customKeyIdentifier"] != AUTH.thumbprint]
    site.repairs.add("KeyCredentialAdded")


def proxy_off(site: Site) -> None:
    site.proxy |= {"Enabled": False, "Organization": None, "Uri": None}
    site.repairs.add("ProxyEnabled")


def proxy_elsewhere(site: Site) -> None:
    site.proxy["Uri"] = "https://push.example.com/"
    site.repairs.add("ProxyEnabled")


def a_server_lacks_the_certificate(site: Site) -> None:
    if len(site.names) > 1:
        site.without = site.names[-1]
        site.repairs.add("CertificateImported")


FAULTS: tuple[Callable[[Site], None], ...] = (
    no_partner,
    auth_server_off,
    auth_server_trusts_anybody,
    metadata_of_nobody,
    no_key,
    proxy_off,
    proxy_elsewhere,
    a_server_lacks_the_certificate,
)


def against(value: Any, part: Mapping[str, Any], path: str) -> list[str]:
    """What the schema does not take: fields that it does not know, missing ones, odd texts."""
    if isinstance(value, dict):
        known = part.get("properties", {})
        strange = [f"{path}.{key}" for key in value if key not in known]
        strange += [
            f"{path}.{key} is missing" for key in part.get("required", ()) if key not in value
        ]
        below = [
            against(one, known[key], f"{path}.{key}") for key, one in value.items() if key in known
        ]
        return strange + [text for texts in below for text in texts]
    if isinstance(value, list):
        return [text for one in value for text in against(one, part["items"], f"{path}[]")]
    odd = "pattern" in part and not re.search(part["pattern"], value)
    odd = odd or ("enum" in part and value not in part["enum"])
    return [f"{path}: {value}"] if odd else []


def described(said: Mapping[Cmdlet, Said], primary: str, known: Known = KNOWN) -> dict[str, Any]:
    first = seen(organization=said)
    choices = first_look.read(replace(first, answered=(primary,)))
    return resource(known, choices)


def first_plan(site: Site) -> Mapping[str, Plan]:
    written = described(site.organization(), site.names[0])
    config = parse(completed(written))
    stores = {name: site.store(name) for name in site.names}
    observed: Observations = seen(
        config, organization=site.organization(), servers=stores, keys=site.keys
    )
    return judge(config, observed, NOW)


def events(plans: Mapping[str, Plan]) -> list[str]:
    return sorted(step.event for plan in plans.values() for step in plan.steps)


@settings(max_examples=60, deadline=None)
@given(numbers)
def test_a_healthy_organisation_gets_a_resource_whose_first_plan_is_empty(number: int) -> None:
    plans = first_plan(healthy(random.Random(number)))
    assert events(plans) == []
    not_true = {n: p.finding.message for n, p in plans.items() if p.finding.status != "True"}
    assert set(not_true) == {"Verified"}, not_true  # the probe is not run here


@settings(max_examples=100, deadline=None)
@given(numbers)
def test_a_broken_organisation_gets_exactly_its_repairs(number: int) -> None:
    rng = random.Random(number)
    site = healthy(rng)
    for fault in rng.sample(FAULTS, rng.randint(1, 3)):
        fault(site)
    assert events(first_plan(site)) == sorted(site.repairs)


@settings(max_examples=80, deadline=None)
@given(numbers)
def test_whatever_the_organisation_the_resource_is_one_that_the_cluster_takes(number: int) -> None:
    world = World(number)
    said = world.organization(world.thumbprint(), (EX1, EX2), (EX3,))
    try:
        written = described(said, EX1)
    except PushError:
        return  # servers that cannot be read: nothing is described
    parse(completed(written))
    assert against(written["spec"], schema()["properties"]["spec"], "spec") == []
    assert completed(written)["spec"] == with_defaults({**written}, schema())["spec"]


@settings(max_examples=80, deadline=None)
@given(numbers)
def test_whatever_the_organisation_nothing_that_works_is_changed(number: int) -> None:
    world = World(number)
    said = world.organization(world.thumbprint(), (EX1, EX2), (EX3,))
    try:
        written = described(said, EX1)
    except PushError:
        return
    config = parse(completed(written))
    stores = {name: world.server(name) for name in config.servers}
    observed = seen(config, organization=said, servers=stores, keys=world.keys())
    planned = events(judge(config, observed, NOW))
    assert "ProxyDisabled" not in planned
    servers = first_look.auth_servers(observed)
    serving = [one for one in servers if one.serves(FABRIKAM) and not one.trusts_any]
    assert not (serving and "AuthServerCreated" in planned)
    found = first_look.proxy(observed)
    ours = found is not None and found.enabled and found.uri == PUSH
    assert not (ours and "ProxyEnabled" in planned)
