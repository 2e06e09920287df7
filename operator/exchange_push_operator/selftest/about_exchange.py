"""What the self-test learns about Exchange and its cmdlets. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from exchange_push_operator.core import certificate_store, organization, push_proxy
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.looks import COMMAND_NOT_FOUND
from exchange_push_operator.core.probes import SUCCESSES, monitoring_items
from exchange_push_operator.selftest import looks
from exchange_push_operator.selftest.evidence import Evidence
from exchange_push_operator.selftest.finding import (
    Finding,
    because,
    broken,
    differs,
    expected,
    not_reached,
    still_open,
    unanswered,
)


def session(evidence: Evidence) -> Finding:
    """The second hop."""
    if evidence.failure is not None:
        return broken(str(evidence.failure)) if evidence.ready else not_reached()
    if organization.ORGANIZATION_CONFIG not in evidence.answers:
        return not_reached()
    first = evidence.milliseconds.get(organization.ORGANIZATION_CONFIG, 0)
    return expected(f"opens with the account itself; its first cmdlet took {first} ms")


def granted(evidence: Evidence) -> Finding:
    """RBAC."""
    if not evidence.answers:
        return not_reached()
    missing = _names(evidence, lambda kind: kind == COMMAND_NOT_FOUND)
    if missing:
        return broken(f"not granted to the account: {missing}")
    failed = _names(evidence, bool)
    if failed:
        return differs(f"granted, but ended with an error: {failed}")
    return expected("all are granted and answer")


def _names(evidence: Evidence, wanted: Callable[[str], bool]) -> str:
    errors = ((look, evidence.error(look)) for look in looks.operators(evidence.server))
    return ", ".join(
        f"{look.name} ({error.kind})" for look, error in errors if error and wanted(error.kind)
    )


def auth_config(evidence: Evidence) -> Finding:
    """Properties and types."""
    rows = evidence.rows(organization.AUTH_CONFIG)
    if len(rows) != 1:
        return unanswered(evidence, organization.AUTH_CONFIG, f"{len(rows)} rows")
    wanted = (
        "CurrentCertificateThumbprint",
        "PreviousCertificateThumbprint",
        "NextCertificateThumbprint",
        "ServiceName",
        "WhenChangedUTC",
        "OriginatingServer",
    )
    missing = [name for name in wanted if name not in rows[0]]
    if missing:
        return differs(f"without {', '.join(missing)}")
    effective = rows[0].get("NextCertificateEffectiveDate")
    return expected(f"all properties; NextCertificateEffectiveDate is {_kind(effective)}")


def _kind(value: object) -> str:
    return "empty" if value is None else f"{type(value).__name__} like {value}"


def proxy(evidence: Evidence) -> Finding:
    """The two ways to look at the proxy, compared."""
    rows = evidence.rows(push_proxy.WHAT_IF)
    if not rows:
        return unanswered(evidence, push_proxy.WHAT_IF, "no object")
    names = ("Enabled", "Organization", "Uri", "WhenChangedUTC")
    missing = [name for name in names if name not in rows[0]]
    if missing:
        return differs(f"an object without {', '.join(missing)}")
    directory = evidence.rows(push_proxy.DIRECTORY)
    if not directory:
        return expected("an object with all properties; the directory object cannot be read")
    other = [name for name in names if name in directory[0] and _other(rows[0], directory[0], name)]
    if other:
        return differs(f"the directory object has another {', '.join(other)}")
    return expected("an object with all properties, as the directory has it")


def _other(one: Mapping[str, object], two: Mapping[str, object], name: str) -> bool:
    return str(one[name]).lower() != str(two[name]).lower()


def probe_exists(evidence: Evidence) -> Finding:
    """Managed availability of this version."""
    look = monitoring_items(evidence.server)
    if look not in evidence.answers:
        return not_reached()
    found = evidence.rows(look)
    if not found:
        return differs(f"no items{because(evidence, look)}: Verified will be ProbeNotAvailable")
    return expected(", ".join(sorted({str(row.get("Name")) for row in found})))


def probe_runs(evidence: Evidence) -> Finding:
    """Only when asked for."""
    look = looks.probe(evidence.server)
    if look not in evidence.answers:
        return still_open("not tried; add --probe")
    rows = evidence.rows(look)
    if not rows:
        return unanswered(evidence, look, "no row")
    result = str(rows[0].get("ResultType"))
    text = " ".join(str(rows[0].get(key) or "") for key in ("ResultType", "Error", "Exception"))
    return expected(result) if result in SUCCESSES else differs(text.strip()[:300])


def not_found(evidence: Evidence) -> Finding:
    """On this the operator tells "missing" from "out of reach"."""
    look = looks.absent_certificate(evidence.server)
    if look not in evidence.answers:
        return not_reached()
    error = evidence.error(look)
    if error is None:
        return differs(f"no error, {len(evidence.rows(look))} rows")
    text = f"{error.kind}, {error.category}, {error.identifier}: {error}"
    return expected(text) if error.kind == "InvalidOperationException" else differs(text)


def certificates(evidence: Evidence) -> Finding:
    """What remote PowerShell leaves of a certificate."""
    look = certificate_store.certificates_on(evidence.server, None)
    rows = evidence.rows(look)
    if not rows:
        return unanswered(evidence, look, "no rows")
    missing = {
        name for row in rows for name in ("RawData", "HasPrivateKey") if row.get(name) is None
    }
    if missing:
        return differs(f"{len(rows)} rows, without {', '.join(sorted(missing))}")
    return expected(f"{len(rows)} rows with RawData and HasPrivateKey")


def build(evidence: Evidence) -> Finding:
    """Active Directory hides updates between cumulative ones."""
    rows = evidence.rows(organization.LOCAL_SERVER)
    if not rows or rows[0].get("Version") is None:
        return unanswered(evidence, organization.LOCAL_SERVER, "no build of ExSetup.exe")
    shown = next(
        (
            str(row.get("AdminDisplayVersion"))
            for row in evidence.rows(organization.EXCHANGE_SERVERS)
            if str(row.get("Fqdn")).lower() == evidence.server.lower()
        ),
        "nothing",
    )
    return expected(f"{rows[0]['Version']}; Active Directory shows {shown}")


def transport(evidence: Evidence) -> Finding:
    """Without it no certificate is made."""
    rows = evidence.rows(organization.LOCAL_SERVER)
    if not rows:
        return unanswered(evidence, organization.LOCAL_SERVER, "no answer")
    if rows[0].get("TransportCertificateThumbprint"):
        return expected("can be read")
    return differs("cannot be read: no Auth certificate will ever be made here")


def starts(evidence: Evidence) -> Finding:
    """By these a restart that is due is told from one that has been made."""
    rows = evidence.rows(organization.LOCAL_SERVER)
    if not rows:
        return unanswered(evidence, organization.LOCAL_SERVER, "no answer")
    names = ("HealthManager", "ServiceHost", "OwaPool", "EcpPool")
    unseen = [name for name in names if not rows[0].get(f"{name}StartedUTC")]
    if unseen:
        return differs(f"not seen: {', '.join(unseen)}. Do they run there?")
    return expected("of both services and both application pools")


def roles(evidence: Evidence) -> Finding:
    """For the set-up of the account."""
    if not any(look in evidence.answers for look in looks.ROLES):
        return not_reached()
    found = [
        f"{look.parameters[0][1]!s}".removeprefix("*\\") + ": " + _listed(evidence, look)
        for look in looks.ROLES
    ]
    answered = any(evidence.rows(look) for look in looks.ROLES)
    return expected("; ".join(found)) if answered else still_open("; ".join(found))


def _listed(evidence: Evidence, look: Cmdlet) -> str:
    roles = sorted({str(row.get("Role")) for row in evidence.rows(look)})
    return ", ".join(roles) or f"not told{because(evidence, look)}"
