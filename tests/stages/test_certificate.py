"""Certificate: adopt what AuthConfig names; assign or make one only where it names none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from answers import (
    AUTH,
    EX1,
    EX2,
    EX3,
    NEXT,
    TRANSPORT,
    Said,
    advised,
    auth_config,
    certificate,
    component,
    config,
    entry,
    held,
    local,
    missing,
    plan_of,
    seen,
    server,
    told,
)
from exchange_push_operator.core.certificate_store import LOCAL_CERTIFICATES, certificates_on
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import CmdletFailed, Refused
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.organization import (
    AUTH_CONFIG,
    EXCHANGE_SERVERS,
    LOCAL_SERVER,
    component_states,
)
from exchange_push_operator.core.x509 import Certificate
from exchange_push_operator.stages.certificate import STAGE

OTHER = certificate(4, subject="OAuth of an older day")
FOLLOWER_NAME = f"PushAuth 0f7c2a54 {AUTH.thumbprint[:8]} SMTP {TRANSPORT.thumbprint[:31]}"
OUR_NAME = f"PushAuth 0f7c2a54 SMTP {TRANSPORT.thumbprint}"
SMTP = held(TRANSPORT, name="Microsoft Exchange")
NAMES_NONE: Mapping[Cmdlet, Said] = {AUTH_CONFIG: [auth_config(None)]}
KEYS = [entry(of, keyId=of.thumbprint[:32]) for of in (AUTH, NEXT, OTHER)]
"""Nothing has to wait for its key; test_certificate_at_once.py is about that."""
ALL = (server(EX1), server(EX2), server(EX3))


def assign(of: Certificate) -> str:
    return f"Set-AuthConfig -CertificateThumbprint '{of.thumbprint}' -Force:$true -Confirm:$false"


def create(name: str, transport: Certificate = TRANSPORT) -> str:
    return (
        f"New-ExchangeCertificate -Server '{name}' -KeySize 2048 -PrivateKeyExportable:$true "
        "-SubjectName 'cn=Microsoft Exchange Server Auth Certificate' "
        f"-FriendlyName 'PushAuth 0f7c2a54 SMTP {transport.thumbprint}' "
        "-DomainName @() -Services 'None' -Confirm:$false"
    )


def stores(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> Any:
    return {EX1: {LOCAL_CERTIFICATES: first}, EX2: {LOCAL_CERTIFICATES: second}}


def current(of: Certificate) -> Observations:
    return seen(
        organization={AUTH_CONFIG: [auth_config(of.thumbprint)]},
        servers=stores([held(of)], [held(of)]),
    )


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (AUTH, ("True", "Valid", ())),
        (certificate(5, begins=-400, ends=-1), ("False", "Expired", ())),
        (certificate(5, begins=-400, ends=0), ("False", "Expired", ())),
        (certificate(5, begins=1), ("False", "NotYetValid", ())),
        (certificate(5, begins=0), ("True", "Valid", ())),
        (certificate(5, key="small"), ("False", "KeyTooSmall", ())),
        (certificate(5, key="elliptic"), ("False", "KeyTooSmall", ())),
    ],
    ids=[
        "a valid one is adopted",
        "an expired one is reported and not replaced",
        "one that ends this moment has expired",
        "one of the future is not valid yet",
        "one that begins this moment is valid",
        "1024 bits are too few",
        "an elliptic curve is no RSA key",
    ],
)
def test_the_current_certificate(of: Certificate, expected: object) -> None:
    plan = plan_of(STAGE, config(), current(of))
    assert told(plan) == expected
    assert advised(plan) == set()


def test_a_sha1_signature_is_an_advisory_and_no_fault() -> None:
    plan = plan_of(STAGE, config(), current(certificate(6, sha1=True)))
    assert told(plan) == ("True", "Valid", ())
    assert advised(plan) == {"Sha1Certificate"}


def test_thumbprints_of_auth_config_are_compared_without_case() -> None:
    lower = {AUTH_CONFIG: [auth_config(AUTH.thumbprint.lower())]}
    assert told(plan_of(STAGE, config(), seen(organization=lower))) == ("True", "Valid", ())


def unlisted(answer: Said, *, current: str | None = AUTH.thumbprint) -> Mapping[Cmdlet, Said]:
    return {
        EXCHANGE_SERVERS: ALL,
        AUTH_CONFIG: [auth_config(current)],
        certificates_on(EX3, current): answer,
    }


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([held(AUTH)], ("True", "Valid", ())),
        ([held(AUTH, key=False)], ("False", "PrivateKeyMissing", ())),
        (missing(), ("False", "PrivateKeyMissing", ())),
        (missing("RpcClientException"), ("True", "Valid", ())),
    ],
    ids=[
        "that has the key is fine",
        "that has no key is named",
        "that has not the certificate is named",
        "that cannot be seen stops no adoption",
    ],
)
def test_a_server_that_is_not_listed(answer: Said, expected: object) -> None:
    plan = plan_of(STAGE, config(), seen(organization=unlisted(answer)))
    assert told(plan) == expected


def test_a_certificate_that_no_server_has_is_not_found() -> None:
    plan = plan_of(STAGE, config(), seen(servers=stores([SMTP], [SMTP])))
    assert told(plan) == ("False", "NotFound", ())
    assert "no server has in its store" in plan.finding.message


@pytest.mark.parametrize(
    "observed",
    [
        seen(servers={EX1: {LOCAL_CERTIFICATES: [SMTP]}}, away=[EX2]),
        seen(organization=unlisted([held(AUTH)]), servers=stores([SMTP], [SMTP])),
        seen(organization=unlisted(missing("Rpc")), servers=stores([SMTP], [SMTP])),
    ],
    ids=["is away", "is not listed", "cannot be seen"],
)
def test_nobody_is_told_to_replace_a_certificate_where_a_server_that_may_have_it(
    observed: Observations,
) -> None:
    plan = plan_of(STAGE, config(), observed)
    assert told(plan) == ("False", "PrivateKeyMissing", ())
    assert "Set-AuthConfig" not in plan.finding.message


NONE_NAMED: list[tuple[str, Any, Any]] = [
    (
        "nothing fits: one is made on the first server by name",
        stores([SMTP], [SMTP]),
        ("False", "NotFound", (create(EX1),)),
    ),
    (
        "Setup's is assigned",
        stores([SMTP], [SMTP, held(AUTH, name="")]),
        ("False", "NotFound", (assign(AUTH),)),
    ),
    (
        "the article's is assigned by its friendly name",
        stores([held(OTHER, name="My OAuth certificate")], []),
        ("False", "NotFound", (assign(OTHER),)),
    ),
    (
        "one that only looks valid is no Auth certificate",
        stores([held(OTHER, name="web mail")], [SMTP]),
        ("False", "NotFound", (create(EX1),)),
    ),
    (
        "an expired one is not assigned",
        stores([held(certificate(7, ends=-1))], []),
        ("False", "NotFound", (create(EX1),)),
    ),
    (
        "one without its key anywhere is not assigned",
        stores([held(AUTH, key=False)], [held(AUTH, key=False)]),
        ("False", "NotFound", (create(EX1),)),
    ),
    (
        "several are a decision for a person",
        stores([held(AUTH)], [held(NEXT)]),
        ("False", "SeveralCertificates", ()),
    ),
    (
        "ours comes before others after a crash",
        stores([held(AUTH), held(NEXT, name=OUR_NAME)], []),
        ("False", "NotFound", (assign(NEXT),)),
    ),
    (
        "ours is known by its name in any store",
        stores([held(NEXT, name=OUR_NAME)], [held(NEXT), held(AUTH)]),
        ("False", "NotFound", (assign(NEXT),)),
    ),
    (
        "two of ours are a decision for a person",
        stores([held(AUTH, name=OUR_NAME)], [held(NEXT, name=OUR_NAME)]),
        ("False", "SeveralCertificates", ()),
    ),
]


@pytest.mark.parametrize(
    ("servers", "expected"), [case[1:] for case in NONE_NAMED], ids=[c[0] for c in NONE_NAMED]
)
def test_where_auth_config_names_none(servers: Any, expected: object) -> None:
    observed = seen(organization=NAMES_NONE, servers=servers, keys=KEYS)
    assert told(plan_of(STAGE, config(), observed)) == expected


def test_a_certificate_is_assigned_on_a_server_that_has_it_with_its_key() -> None:
    servers = stores([held(AUTH, key=False)], [held(AUTH)])
    observed = seen(organization=NAMES_NONE, servers=servers, keys=KEYS)
    (step,) = plan_of(STAGE, config(), observed).steps
    assert step.server == EX2


def test_which_store_is_read_last_does_not_matter() -> None:
    servers = stores([held(AUTH)], [held(AUTH, key=False)])
    observed = seen(organization=NAMES_NONE, servers=servers, keys=KEYS)
    (step,) = plan_of(STAGE, config(), observed).steps
    assert (step.server, step.text) == (EX1, assign(AUTH))


def test_a_certificate_that_only_an_unlisted_server_has_cannot_be_assigned_from_here() -> None:
    organization = unlisted([held(AUTH)], current=None)
    plan = plan_of(STAGE, config(), seen(organization=organization, servers=stores([SMTP], [SMTP])))
    assert told(plan) == ("False", "NotFound", ())
    assert "spec.exchange.servers" in plan.finding.message


@pytest.mark.parametrize(
    ("observed", "who"),
    [
        (seen(organization=NAMES_NONE, away=[EX2]), EX2),
        (seen(organization=unlisted(missing("Rpc"), current=None)), EX3),
    ],
    ids=["that is away", "that is not listed and cannot be seen"],
)
def test_nothing_is_assigned_or_made_before_a_server_is_seen(
    observed: Observations, who: str
) -> None:
    plan = plan_of(STAGE, config(), observed)
    assert told(plan) == ("Unknown", "Unreachable", ())
    assert who in plan.finding.message


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (NEXT, ("False", "NotFound", (assign(NEXT),))),
        (OTHER, ("False", "NotFound", ())),
    ],
    ids=["is assigned where several would do", "is not replaced by another where it is missing"],
)
def test_the_certificate_named_in_the_spec(named: Certificate, expected: object) -> None:
    asked = config({"certificate": {"thumbprint": named.thumbprint.lower()}})
    servers = stores([held(AUTH)], [held(NEXT)])
    observed = seen(organization=NAMES_NONE, servers=servers, keys=KEYS)
    assert told(plan_of(STAGE, asked, observed)) == expected


def test_the_certificate_named_in_the_spec_replaces_no_valid_one() -> None:
    asked = config({"certificate": {"thumbprint": NEXT.thumbprint}})
    observed = seen(servers=stores([held(AUTH), held(NEXT)], [held(AUTH)]))
    assert told(plan_of(STAGE, asked, observed)) == ("True", "Valid", ())


def resting(*names: str) -> Any:
    offline = component(state="Inactive")
    return {name: {component_states(name): [offline], LOCAL_CERTIFICATES: [SMTP]} for name in names}


def test_none_is_made_on_a_server_in_maintenance() -> None:
    servers = {EX2: {LOCAL_CERTIFICATES: [SMTP]}, **resting(EX1)}
    plan = plan_of(STAGE, config(), seen(organization=NAMES_NONE, servers=servers))
    assert told(plan) == ("False", "NotFound", (create(EX2),))
    assert [step.server for step in plan.steps] == [EX2]


def test_none_is_made_where_every_server_is_in_maintenance() -> None:
    observed = seen(organization=NAMES_NONE, servers=resting(EX1, EX2))
    assert told(plan_of(STAGE, config(), observed)) == ("Unknown", "InMaintenance", ())


def test_none_is_assigned_where_its_only_holder_is_in_maintenance() -> None:
    servers = resting(EX1)
    servers[EX1][LOCAL_CERTIFICATES] = [held(AUTH)]
    servers[EX2] = {LOCAL_CERTIFICATES: [SMTP]}
    observed = seen(organization=NAMES_NONE, servers=servers)
    assert told(plan_of(STAGE, config(), observed)) == ("Unknown", "InMaintenance", ())


def test_none_is_made_while_the_transport_certificate_cannot_be_seen() -> None:
    blind = {
        LOCAL_CERTIFICATES: [SMTP],
        LOCAL_SERVER: [local(EX1, TransportCertificateThumbprint="")],
    }
    observed = seen(
        organization=NAMES_NONE, servers={EX1: blind, EX2: {LOCAL_CERTIFICATES: [SMTP]}}
    )
    assert told(plan_of(STAGE, config(), observed)) == ("Unknown", "NotObserved", ())


def taken(*store: dict[str, Any], offline: bool = False, name: str = OUR_NAME) -> Observations:
    """EX2's transport role is with a certificate of ours."""
    state = component(state="Inactive" if offline else "Active")
    return seen(
        servers={
            EX2: {
                LOCAL_SERVER: [local(EX2, TransportCertificateThumbprint=NEXT.thumbprint)],
                LOCAL_CERTIFICATES: [held(AUTH), held(NEXT, name=name), *store],
                component_states(EX2): [state],
            }
        }
    )


@pytest.mark.parametrize("name", [OUR_NAME, FOLLOWER_NAME], ids=["the first", "a follower"])
def test_a_transport_role_that_our_certificate_took_is_given_back(name: str) -> None:
    plan = plan_of(STAGE, config(), taken(SMTP, name=name))
    command = (
        f"Enable-ExchangeCertificate -Server '{EX2}' -Thumbprint '{TRANSPORT.thumbprint}' "
        "-Services 'SMTP' -Force:$true -Confirm:$false"
    )
    assert told(plan) == ("False", "TransportCertificateChanged", (command,))
    assert [step.server for step in plan.steps] == [EX2]


def test_a_role_whose_former_holder_is_gone_is_a_matter_for_a_person() -> None:
    assert told(plan_of(STAGE, config(), taken())) == ("False", "TransportCertificateChanged", ())


def test_a_role_is_not_given_back_to_a_certificate_that_has_expired() -> None:
    expired = certificate(9, begins=-900, ends=-10)
    name = OUR_NAME.replace(TRANSPORT.thumbprint, expired.thumbprint)
    plan = plan_of(STAGE, config(), taken(held(expired), name=name))
    assert told(plan) == ("False", "TransportCertificateChanged", ())


def test_a_role_is_not_given_back_on_a_server_in_maintenance() -> None:
    assert told(plan_of(STAGE, config(), taken(SMTP, offline=True))) == ("True", "Valid", ())


def test_a_transport_role_that_others_gave_to_their_certificate_is_theirs() -> None:
    servers = {EX1: {LOCAL_SERVER: [local(EX1, TransportCertificateThumbprint=AUTH.thumbprint)]}}
    assert told(plan_of(STAGE, config(), seen(servers=servers))) == ("True", "Valid", ())


@pytest.mark.parametrize("look", [AUTH_CONFIG, EXCHANGE_SERVERS], ids=["AuthConfig", "the servers"])
def test_nothing_is_planned_where_the_organisation_cannot_be_looked_at(look: Cmdlet) -> None:
    observed = seen(organization={look: missing("Anything")})
    with pytest.raises(CmdletFailed):
        STAGE.observe(config(), observed)


def test_a_cmdlet_that_is_not_granted_is_a_matter_of_rights() -> None:
    observed = seen(organization={AUTH_CONFIG: missing("CommandNotFoundException")})
    with pytest.raises(Refused, match="Get-ManagementRole -Cmdlet Get-AuthConfig"):
        STAGE.observe(config(), observed)


def test_two_answers_of_get_auth_config_are_none() -> None:
    observed = seen(organization={AUTH_CONFIG: [auth_config(), auth_config()]})
    with pytest.raises(CmdletFailed, match="one object"):
        STAGE.observe(config(), observed)


@pytest.mark.parametrize(
    ("named", "look"),
    [
        (AUTH.thumbprint, certificates_on(EX3, AUTH.thumbprint)),
        (None, certificates_on(EX3, None)),
    ],
    ids=["the current certificate", "every one where AuthConfig names none"],
)
def test_unlisted_servers_are_asked_for(named: str | None, look: Cmdlet) -> None:
    organization: Mapping[Cmdlet, Said] = {
        EXCHANGE_SERVERS: ALL,
        AUTH_CONFIG: [auth_config(named)],
    }
    assert STAGE.more(config(), seen(organization=organization)).organization == (look,)


def test_where_every_server_is_listed_nothing_more_is_asked() -> None:
    assert STAGE.more(config(), seen()).organization == ()
