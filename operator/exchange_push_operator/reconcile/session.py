"""Signing in: policy, tenant and Secrets, in the order in which each may be touched.

Nothing is read from a Secret before the policy has allowed every host and the tenant that the
resource names (safety rule 9).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from exchange_push_operator.core import tenant
from exchange_push_operator.core.client_certificate import check_client_certificate
from exchange_push_operator.core.config import ProxyState, PushConfig, TenantCredentials
from exchange_push_operator.core.domain_controller import OneController
from exchange_push_operator.core.errors import Refused, SpecError, Unreachable
from exchange_push_operator.core.fresh_token import issued_after
from exchange_push_operator.core.ports import (
    Exchange,
    ExchangeAccess,
    Graph,
    GraphAccess,
    Identity,
    Sensitive,
)
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.reconcile.world import World


class TenantNotFound(Exception):
    """The domain belongs to no tenant of the cloud. A fact, not a refusal."""


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in pass.

    ``exchange`` looks and changes through one domain controller, ``everywhere`` through that of
    each server, both as ``account``. ``certificate_ends`` is the end of the client certificate.
    """

    config: PushConfig
    world: World
    tenant_id: str
    exchange: OneController
    everywhere: Exchange
    account: str
    graph: Graph | None
    identity: Identity | None
    deadline: datetime
    certificate_ends: datetime | None = None

    def check(self) -> None:
        """Between two remote calls: stop where the pass has used up its time.

        Raises: Unreachable.
        """
        self.world.go_on()
        if self.left() <= 0:
            raise Unreachable("the pass took longer than spec.timeout; it goes on with the next")

    def left(self) -> float:
        """The seconds that the pass has left."""
        return (self.deadline - self.world.clock()).total_seconds()


def open_session(config: PushConfig, world: World, now: datetime) -> Session:
    """Sign in to nothing yet but Entra ID; Exchange signs in with its first look.

    Raises: Refused, SpecError, Unreachable, Throttled, TenantNotFound.
    """
    policy = world.policy()
    policy.check(config)
    tenant_id = _resolve(config, world)
    policy.check_tenant(config, tenant_id)
    access = _exchange_access(config, world)
    exchange = world.exchange(access, world.go_on)
    graph, identity, certificate_ends = None, None, None
    if config.needs_entra:
        entra = _graph_access(config, world, tenant_id, now)
        graph, certificate_ends = world.graph(entra), entra.certificate_ends
        identity = graph.identity(since=issued_after(config, now))
        _same_tenant(identity, tenant_id)
    return Session(
        config=config,
        world=world,
        tenant_id=tenant_id,
        exchange=OneController(exchange),
        everywhere=exchange,
        account=access.username,
        graph=graph,
        identity=identity,
        deadline=now + config.timing.timeout,
        certificate_ends=certificate_ends,
    )


def _resolve(config: PushConfig, world: World) -> str:
    if config.stays_inside and config.tenant.tenant_id:
        return config.tenant.tenant_id
    domain, named = config.tenant.domain, config.proxy.organization.lower()
    found = _tenant_of(config, world, domain)
    if found is None:
        raise TenantNotFound
    tenant.confirm(config, found, f"the OpenID configuration of {domain}")
    enabled = config.proxy.state is ProxyState.ENABLED
    if enabled and named != domain and _tenant_of(config, world, named) != found:
        raise Refused(
            Reason.TENANT_MISMATCH,
            f"spec.proxy.organization: {named} is no domain of the tenant of {domain}; pushes of "
            "this organization would be sent in another's name: correct it",
        )
    return found


def _tenant_of(config: PushConfig, world: World, domain: str) -> str | None:
    document = world.metadata.fetch(tenant.openid_configuration_url(config, domain))
    return tenant.issuer_tenant(document) if document is not None else None


def _same_tenant(identity: Identity, tenant_id: str) -> None:
    if identity.tenant_id.lower() != tenant_id:
        raise Refused(
            Reason.TENANT_MISMATCH,
            f"the access token is of tenant {identity.tenant_id}, the domain of {tenant_id}; "
            f"where spec.tenant is mistyped, {tenant.MADE_ANEW}",
        )


def _exchange_access(config: PushConfig, world: World) -> ExchangeAccess:
    name = config.connection.credentials_secret
    data, version = world.secrets.read(config.namespace, name)
    ca_pem = None
    ca = config.connection.ca_secret
    if ca is not None:
        ca_data, ca_version = world.secrets.read(config.namespace, ca.name)
        ca_pem = _entry(ca_data, config.namespace, ca.name, ca.key)
        version = f"{version}.{ca_version}.{ca.key}"
    password, keytab = _exchange_proof(config, data, name)
    return ExchangeAccess(
        transport=config.connection.transport,
        scheme=config.connection.scheme,
        port=config.connection.port,
        username=_entry(data, config.namespace, name, "username"),
        password=password,
        ca_pem=ca_pem,
        version=f"{config.namespace}/{name}@{version}",
        keytab=keytab,
        host_installed=config.connection.host_installed,
        read_only=world.read_only,
    )


def _exchange_proof(
    config: PushConfig, data: Mapping[str, bytes], name: str
) -> tuple[Sensitive | None, Sensitive | None]:
    """Password and keytab: one of them."""
    if not data.get("keytab"):
        return Sensitive.of(_entry(data, config.namespace, name, "password")), None
    secret = f"Secret {config.namespace}/{name}"
    if "password" in data:
        text = "has password and keytab; keep one (with a keytab Exchange needs delegation)"
        raise Refused(Reason.SECRET_INVALID, f"{secret} {text}")
    if config.connection.transport != "Kerberos":
        text = "has a keytab, which NTLM cannot use; set transport Kerberos or add password instead"
        raise Refused(Reason.SECRET_INVALID, f"{secret} {text}")
    return None, Sensitive.of(b64encode(data["keytab"]).decode())


def _graph_access(config: PushConfig, world: World, tenant_id: str, now: datetime) -> GraphAccess:
    credentials = config.tenant.credentials
    if credentials is None:
        raise SpecError("spec.tenant.credentials: required unless spec.principal.target is None")
    cloud = config.tenant.cloud
    access = GraphAccess(
        authority=cloud.authority,
        graph=cloud.graph,
        tenant_id=tenant_id,
        client_id=credentials.client_id,
        client_secret=None,
        certificate=None,
        private_key=None,
        version="",
    )
    if credentials.service_account is not None:
        return _as_service_account(access, config, world, credentials.service_account)
    return _with_secret(access, config, world, credentials, now)


def _as_service_account(
    access: GraphAccess, config: PushConfig, world: World, name: str
) -> GraphAccess:
    """Nothing is asked of the API server before the sign-in wants a token."""
    namespace, audience = config.namespace, config.tenant.cloud.federated_audience
    return replace(
        access,
        federated_token=Sensitive(lambda: world.accounts.token(namespace, name, audience)),
        version=f"serviceaccounts/{namespace}/{name}@",
    )


def _with_secret(
    access: GraphAccess,
    config: PushConfig,
    world: World,
    credentials: TenantCredentials,
    now: datetime,
) -> GraphAccess:
    if credentials.certificate_secret is not None:
        name = credentials.certificate_secret
        data, version = world.secrets.read(config.namespace, name)
        certificate = _entry(data, config.namespace, name, "tls.crt")
        key = _entry(data, config.namespace, name, "tls.key")
        ends = check_client_certificate(certificate, key, now, thorough=False)
        return replace(
            access,
            certificate=certificate,
            certificate_ends=ends,
            private_key=Sensitive.of(key),
            version=f"{config.namespace}/{name}/tls.crt@{version}",
        )
    if credentials.client_secret is not None:
        name, key = credentials.client_secret.name, credentials.client_secret.key
        data, version = world.secrets.read(config.namespace, name)
        secret = Sensitive.of(_entry(data, config.namespace, name, key).strip())
        version = f"{config.namespace}/{name}/{key}@{version}"
        return replace(access, client_secret=secret, version=version)
    fields = "clientCertificate, clientSecret or workloadIdentity"
    raise SpecError(f"spec.tenant.credentials: name {fields}")


def _entry(data: Mapping[str, bytes], namespace: str, name: str, key: str) -> str:
    """One entry of a Secret as text. Raises: Refused (SecretInvalid)."""
    secret = f"Secret {namespace}/{name}"
    if key not in data:
        holds = ", ".join(sorted(data)) or "nothing"
        message = f"{secret} has no {key}; add it (it holds: {holds})"
        raise Refused(Reason.SECRET_INVALID, message)
    try:
        text = data[key].decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"{secret}: {key} is not UTF-8 text"
        raise Refused(Reason.SECRET_INVALID, message) from error
    if not text.strip():
        message = f"{secret}: {key} is empty; put its value there"
        raise Refused(Reason.SECRET_INVALID, message)
    return text
