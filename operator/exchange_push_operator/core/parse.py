"""From the API server's object to a PushConfig.

The CRD has checked types and filled defaults. What is left: values computed from others, and
objects that were stored before a rule existed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exchange_push_operator.core.change_windows import parse_windows
from exchange_push_operator.core.clouds import CLOUDS, Cloud
from exchange_push_operator.core.config import (
    EXCHANGE_ONLINE,
    SUSPENDED,
    Connection,
    ManagementPolicy,
    Proxy,
    ProxyState,
    PushConfig,
    RollOver,
    SecretKey,
    Target,
    Tenant,
    TenantCredentials,
    Timing,
    Verification,
)
from exchange_push_operator.core.durations import parse_duration
from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.core.timestamps import parse_utc

_PORTS = {"HTTPS": 5986, "HTTP": 5985}


def parse(resource: Mapping[str, Any]) -> PushConfig:
    """Read an ExchangePushConfig.

    Raises:
        SpecError: a field is missing or malformed; the message names it.
    """
    try:
        return _parse(resource)
    except KeyError as error:
        message = f"spec: {error.args[0]} is missing; apply the current CRD and the resource again"
        raise SpecError(message) from error
    except ValueError as error:
        raise SpecError(f"spec: {error}; see kubectl explain epc.spec") from error


def _parse(resource: Mapping[str, Any]) -> PushConfig:
    metadata, spec = resource["metadata"], resource["spec"]
    annotations = metadata.get("annotations") or {}
    tenant = _tenant(spec["tenant"])
    principal = spec["principal"]
    target = Target(principal["target"])
    return PushConfig(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        created=metadata["creationTimestamp"],
        deleting="deletionTimestamp" in metadata,
        finalizers=tuple(metadata.get("finalizers") or ()),
        annotations=annotations,
        status=resource.get("status") or {},
        tenant=tenant,
        servers=tuple(server["name"] for server in spec["exchange"]["servers"]),
        connection=_connection(spec["exchange"]["connection"]),
        thumbprint=(spec["certificate"].get("thumbprint") or "").upper() or None,
        restart_services=spec["certificate"]["restartServices"] == "OnImmediatePublish",
        roll_over=_roll_over(spec["certificate"], target),
        auth_server=spec["authServer"]["name"],
        metadata_url=_metadata_url(spec["authServer"], tenant, unasked=target is Target.NONE),
        target=target,
        app_id=principal["appId"].lower() if target is Target.DEDICATED else EXCHANGE_ONLINE,
        drop_expired_keys=principal["dropExpiredKeys"],
        proxy=_proxy(spec["proxy"], tenant),
        verification=_verification(spec["verification"]),
        management=ManagementPolicy(spec["managementPolicy"]),
        approved_plan=spec.get("approvedPlan"),
        change_windows=parse_windows(spec.get("changeWindows") or ()),
        suspended=spec["suspend"] or annotations.get(SUSPENDED) == "true",
        disable_on_delete=spec["deletionPolicy"] == "Disable",
        timing=_timing(spec),
    )


def _tenant(spec: Mapping[str, Any]) -> Tenant:
    credentials = spec.get("credentials")
    tenant_id = spec.get("tenantId")
    return Tenant(
        domain=spec["domain"].lower(),
        tenant_id=tenant_id.lower() if tenant_id else None,
        cloud=_cloud(spec["cloud"]),
        credentials=_credentials(credentials) if credentials else None,
    )


def _cloud(name: str) -> Cloud:
    if name not in CLOUDS:
        raise SpecError(f"spec.tenant.cloud: {name} is not one of {', '.join(CLOUDS)}")
    return CLOUDS[name]


def _credentials(spec: Mapping[str, Any]) -> TenantCredentials:
    certificate = spec.get("clientCertificate")
    secret = spec.get("clientSecret")
    workload = spec.get("workloadIdentity")
    return TenantCredentials(
        client_id=spec["clientId"],
        certificate_secret=certificate["secretRef"]["name"] if certificate else None,
        client_secret=_secret_key(secret["secretRef"]) if secret else None,
        service_account=workload["serviceAccountRef"]["name"] if workload else None,
    )


def _secret_key(spec: Mapping[str, Any]) -> SecretKey:
    return SecretKey(name=spec["name"], key=spec["key"])


def _connection(spec: Mapping[str, Any]) -> Connection:
    ca = spec.get("caSecretRef")
    return Connection(
        transport=spec["transport"],
        scheme=spec["scheme"],
        port=spec.get("port") or _PORTS[spec["scheme"]],
        credentials_secret=spec["credentialsSecretRef"]["name"],
        ca_secret=_secret_key(ca) if ca else None,
        host_installed=spec["hostScript"] == "Installed",
    )


def _metadata_url(spec: Mapping[str, Any], tenant: Tenant, *, unasked: bool) -> str:
    url: str | None = spec.get("metadataUrl") or tenant.cloud.metadata_url
    if url is None:
        raise SpecError(
            f"spec.authServer.metadataUrl: required for cloud {tenant.cloud.name}, "
            "whose address is not documented"
        )
    # A tenant id instead of the domain where the domain is never looked up: the URL then says
    # itself whose it is.
    name = tenant.tenant_id if unasked and tenant.tenant_id else tenant.domain
    return url.replace("{domain}", name)


def _roll_over(spec: Mapping[str, Any], target: Target) -> RollOver | None:
    """None under policy Adopt. What cannot be a roll-over is refused."""
    if spec["policy"] == "Adopt":
        return None
    if target is Target.NONE:
        raise SpecError(
            "spec.certificate.policy: Manage needs a principal: with principal.target None nobody "
            "can see whether Entra ID has the next key; use Adopt, or name a target"
        )
    spans = ("renewBefore", "activateAfter", "keyCredentialGracePeriod")
    before, after, grace = (parse_duration(spec[n], f"spec.certificate.{n}") for n in spans)
    if before <= after:
        raise SpecError(
            "spec.certificate.renewBefore: must be longer than activateAfter, or the next "
            "certificate would follow one that has expired"
        )
    moment = spec.get("rotateAfter")
    return RollOver(before, after, grace, parse_utc(moment) if moment else None)


def _proxy(spec: Mapping[str, Any], tenant: Tenant) -> Proxy:
    state = ProxyState(spec["state"])
    uri = spec.get("uri") or tenant.cloud.push_uri
    if state is ProxyState.ENABLED and uri is None:
        raise SpecError(
            f"spec.proxy.uri: required for cloud {tenant.cloud.name}, "
            "whose push address is not documented"
        )
    return Proxy(state=state, organization=spec.get("organization") or tenant.domain, uri=uri)


def _verification(spec: Mapping[str, Any]) -> Verification:
    return Verification(
        enabled=spec["enabled"],
        interval=parse_duration(spec["interval"], "spec.verification.interval"),
        restart_health_manager=spec["restartHealthManager"] == "WhenOwed",
    )


def _timing(spec: Mapping[str, Any]) -> Timing:
    return Timing(
        interval=parse_duration(spec["interval"], "spec.interval"),
        retry_interval=parse_duration(spec["retryInterval"], "spec.retryInterval"),
        timeout=parse_duration(spec["timeout"], "spec.timeout"),
        unreachable_grace=parse_duration(
            spec["exchange"]["unreachableGracePeriod"], "spec.exchange.unreachableGracePeriod"
        ),
    )
