"""Auth server: Exchange trusts the tenant's token issuer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exchange_push_operator.core import auth_servers, organization, tenant
from exchange_push_operator.core.auth_servers import ACS, AuthServer
from exchange_push_operator.core.commands import Value, cmdlet
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import CmdletFailed, PushError, Unreachable
from exchange_push_operator.core.looks import Looks, Observations
from exchange_push_operator.core.plan import Advisory, Finding, Plan, Step, fails, holds, unknown
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.stage import Stage

# The exceptions of Exchange's own reading of a metadata document; their names are never localised.
_METADATA_EXCEPTIONS = "AuthMetadata"


@dataclass(frozen=True, slots=True)
class Observed:
    """The auth servers, and whose metadata the declared URL serves.

    ``published`` is the tenant that the document names, or the URL itself where nothing but WinRM
    may leave the cluster; None where that could not be confirmed.
    """

    tenant_id: str
    servers: tuple[AuthServer, ...]
    published: str | None


def looks(config: PushConfig) -> Looks:
    """The auth servers, and the document that Exchange is going to read."""
    documents = () if config.stays_inside else (config.metadata_url,)
    return Looks(organization=(organization.AUTH_SERVERS,), metadata=documents)


def observe(config: PushConfig, observed: Observations) -> Observed:
    """Read them. Raises: Refused, CmdletFailed, Throttled."""
    return Observed(
        tenant_id=observed.tenant_id,
        servers=auth_servers.listed(observed),
        published=_published(config, observed),
    )


def _published(config: PushConfig, observed: Observations) -> str | None:
    if config.stays_inside:
        return tenant.named(config.metadata_url)
    try:
        document = observed.document(config.metadata_url)
    except Unreachable:
        return None
    return tenant.realm(document) if document is not None else None


def plan(config: PushConfig, observed: Observed, _now: datetime) -> Plan:
    """Adopt whichever auth server serves the tenant; else make or mend the declared one."""
    if observed.published is not None and observed.published != observed.tenant_id:
        return Plan(_foreign_document(config, observed))
    name = config.auth_server.lower()
    declared = next((s for s in observed.servers if s.name.lower() == name), None)
    foreign = _not_ours(config, observed, declared) if declared else None
    adopted = _adopt(observed)
    if adopted is not None and (declared is None or foreign or not declared.enabled):
        return adopted
    if foreign is not None:
        return Plan(foreign)
    if declared is None:
        absent = fails(Reason.NOT_FOUND, f"there is no auth server {config.auth_server}")
        return _mend(config, observed, absent, _new(config))
    drift, changes = _drift(config, observed, declared)
    if drift is None:
        return Plan(_in_order(declared), advisories=_advisories(observed))
    return _mend(config, observed, drift, _set(declared.name, changes))


def _adopt(observed: Observed) -> Plan | None:
    """What somebody else made and what serves the tenant is used, not doubled, not rewritten."""
    serving = (server for server in observed.servers if server.serves(observed.tenant_id))
    best = min(serving, key=lambda server: server.trusts_any, default=None)
    if best is None:
        return None
    finding = _trusts_any(best, "it is not ours: run") if best.trusts_any else _in_order(best)
    return Plan(finding, advisories=_advisories(observed))


def _in_order(server: AuthServer) -> Finding:
    return holds(Reason.UP_TO_DATE, f"auth server {server.name} serves the tenant")


def _trusts_any(server: AuthServer, cure: str) -> Finding:
    command = cmdlet("Set-AuthServer", Identity=server.name, TrustAnySSLCertificate=False)
    return fails(
        Reason.TRUSTS_ANY_CERTIFICATE,
        f"auth server {server.name} takes its issuer's keys from whoever answers, without a look "
        f"at the TLS certificate; {cure} {command}",
    )


def _not_ours(config: PushConfig, observed: Observed, declared: AuthServer) -> Finding | None:
    """Why an auth server of the declared name is not touched; None where it is ours."""
    # The domain is known to be the tenant's only where it was looked up.
    known = (observed.tenant_id, "" if config.stays_inside else config.tenant.domain)
    if declared.realm and declared.realm not in known:
        return _other_tenant(declared, observed.tenant_id)
    if declared.type != ACS:
        return fails(
            Reason.OTHER_TYPE,
            f"auth server {declared.name} is of type {declared.type}, not {ACS}, and is not "
            "touched; give another spec.authServer.name",
        )
    return None


def _drift(
    config: PushConfig, observed: Observed, declared: AuthServer
) -> tuple[Finding | None, dict[str, Value]]:
    changes: dict[str, Value] = {}
    finding = None
    # Exchange has read the tenant from that very document, or we have looked the domain up.
    confirmed = declared.realm == observed.tenant_id or not config.stays_inside
    if declared.trusts_any:
        changes["TrustAnySSLCertificate"] = False
        finding = _trusts_any(declared, "corrected by")
    if not declared.enabled:
        changes["Enabled"] = True
        finding = fails(Reason.DISABLED, f"auth server {declared.name} is disabled")
    if not tenant.same_metadata(
        declared.metadata_url,
        config.metadata_url,
        domain=config.tenant.domain if confirmed else observed.tenant_id,
        tenant_id=observed.tenant_id,
    ):
        changes["AuthMetadataUrl"] = config.metadata_url
        message = f"auth server {declared.name} reads {declared.metadata_url}"
        finding = fails(Reason.OTHER_METADATA_URL, message)
    return finding, changes


def _mend(config: PushConfig, observed: Observed, finding: Finding, step: Step) -> Plan:
    advisories = _advisories(observed)
    if observed.published is None:
        doubt = f"whose metadata {config.metadata_url} is could not be confirmed"
        message = f"{finding.message}; {doubt}"
        return Plan(unknown(Reason.UNREACHABLE, message), advisories=advisories)
    return Plan(finding, (step,), advisories)


def _new(config: PushConfig) -> Step:
    name, url = config.auth_server, config.metadata_url
    return Step(
        action="Create the auth server",
        target=name,
        event="AuthServerCreated",
        command=cmdlet("New-AuthServer", Name=name, AuthMetadataUrl=url, Confirm=False),
    )


def _set(name: str, changes: dict[str, Value]) -> Step:
    return Step(
        action="Correct the auth server",
        target=name,
        event="AuthServerCorrected",
        command=cmdlet("Set-AuthServer", Identity=name, **changes, Confirm=False),
    )


def _foreign_document(config: PushConfig, observed: Observed) -> Finding:
    return fails(
        Reason.TENANT_MISMATCH,
        f"{config.metadata_url} is the metadata of tenant {observed.published}, not of "
        f"{observed.tenant_id}; correct spec.authServer.metadataUrl",
    )


def _other_tenant(server: AuthServer, tenant_id: str) -> Finding:
    return fails(
        Reason.OTHER_TENANT,
        f"auth server {server.name} serves tenant {server.realm}, not {tenant_id}, and is not "
        "touched; give another spec.authServer.name or remove it by hand",
    )


def _advisories(observed: Observed) -> tuple[Advisory, ...]:
    serving = [s.name for s in observed.servers if s.serves(observed.tenant_id)]
    if len(serving) < 2:  # noqa: PLR2004 - one is as it should be
        return ()
    return (
        Advisory(
            "SeveralAuthServers",
            f"{', '.join(serving)}: all serve this tenant; keep one (Remove-AuthServer)",
        ),
    )


def explain(error: PushError) -> Finding | None:
    """A change that failed because Exchange itself could not read the document."""
    if not isinstance(error, CmdletFailed) or not error.kind.startswith(_METADATA_EXCEPTIONS):
        return None
    return fails(
        Reason.METADATA_DOWNLOAD_FAILED,
        "Exchange downloads the metadata document itself and could not: give the Exchange servers "
        "outbound HTTPS to it, or name a proxy (Set-ExchangeServer -InternetWebProxy); "
        f"{error}",
    )


STAGE = Stage("AuthServerReady", looks, observe, plan, explain=explain)
