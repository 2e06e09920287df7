"""The installer's policy: which hosts, tenants, principals and accounts resources may name.

Who may edit a resource must not be able to point Exchange's trust, or a credential, elsewhere.
An empty policy allows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from exchange_push_operator.core.config import ProxyState, PushConfig, Target
from exchange_push_operator.core.errors import Refused, SpecError
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.tenant import MADE_ANEW

EVERY_NAMESPACE = "*"
_PLAIN_URL = re.compile(r"https://([-A-Za-z0-9.]+)(?::[0-9]{1,5})?(?:/[!-\[\]-~]*)?")
_KEYS = (
    "exchangeHosts",
    "tenantIds",
    "principals",
    "issuerHosts",
    "pushHosts",
    "domains",
    "serviceAccounts",
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the resources of one namespace may name."""

    exchange_hosts: tuple[str, ...] = ()
    tenant_ids: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    issuer_hosts: tuple[str, ...] = ()
    push_hosts: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules by namespace; ``*`` holds for every namespace, beside the namespace's own."""

    namespaces: Mapping[str, Rules] = field(default_factory=dict)

    def check(self, config: PushConfig) -> None:
        """Check all that the resource names itself.

        Raises:
            Refused: NotAllowedByPolicy, naming the field and the value.
        """
        for server in config.servers:
            self._hosts(config, "exchangeHosts", server, "spec.exchange.servers")
        if config.tenant.tenant_id:
            self.check_tenant(config, config.tenant.tenant_id)
        if config.target is not Target.NONE:
            name = config.app_id if config.target is Target.DEDICATED else config.target.value
            self._require(config, "principals", name, "spec.principal")
        self._account(config)
        self._addresses(config)

    def _account(self, config: PushConfig) -> None:
        # Who may edit a resource may not thereby speak for every account of the namespace.
        credentials = config.tenant.credentials
        if config.needs_entra and credentials and credentials.service_account:
            where = "spec.tenant.credentials.workloadIdentity.serviceAccountRef"
            self._require(config, "serviceAccounts", credentials.service_account, where)

    def _addresses(self, config: PushConfig) -> None:
        issuer = _host(config.metadata_url)
        if issuer not in config.tenant.cloud.issuer_hosts:
            self._hosts(config, "issuerHosts", issuer, "spec.authServer.metadataUrl")
        if config.proxy.state is not ProxyState.ENABLED:
            return
        push = _host(config.proxy.uri or "")
        if push not in config.tenant.cloud.push_hosts:
            self._hosts(config, "pushHosts", push, "spec.proxy.uri")
        if config.stays_inside:  # whose domain it is cannot be looked up
            self._require(config, "domains", config.proxy.organization, "spec.proxy.organization")

    def check_tenant(self, config: PushConfig, tenant_id: str) -> None:
        """Check the tenant that the domain resolved to. Raises: Refused."""
        self._require(config, "tenantIds", tenant_id, "spec.tenant")

    def _hosts(self, config: PushConfig, key: str, host: str, where: str) -> None:
        patterns = self._values(config, key)
        if not host or not any(fnmatchcase(host.lower(), glob.lower()) for glob in patterns):
            raise _refusal(config, key, host, where)

    def _require(self, config: PushConfig, key: str, value: str, where: str) -> None:
        if value.lower() not in (item.lower() for item in self._values(config, key)):
            raise _refusal(config, key, value, where)

    def _values(self, config: PushConfig, key: str) -> tuple[str, ...]:
        rules = (self.namespaces.get(name) for name in (config.namespace, EVERY_NAMESPACE))
        return tuple(value for rule in rules if rule for value in _by_key(rule, key))


def parse_policy(document: Any) -> Policy:
    """Read a policy document.

    Raises:
        SpecError: it has another shape; the message names the place.
    """
    if not isinstance(document, Mapping) or not set(document) <= {"namespaces"}:
        raise SpecError("policy: expected one key, namespaces, with a map of namespaces below it")
    namespaces = document.get("namespaces") or {}
    if not isinstance(namespaces, Mapping):
        raise SpecError("policy.namespaces: expected a map from namespace to rules")
    return Policy({name: _rules(name, rules) for name, rules in namespaces.items()})


def _rules(name: str, document: Any) -> Rules:
    where = f"policy.namespaces.{name}"
    if not isinstance(document, Mapping):
        raise SpecError(f"{where}: expected a map with {', '.join(_KEYS)}")
    unknown = sorted(str(key) for key in set(document) - set(_KEYS))
    if unknown:
        raise SpecError(f"{where}.{unknown[0]}: unknown; the keys are {', '.join(_KEYS)}")
    return Rules(*(_strings(document.get(key) or [], f"{where}.{key}") for key in _KEYS))


def _strings(values: Any, where: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise SpecError(f"{where}: expected a list of strings")
    return tuple(values)


def _by_key(rules: Rules, key: str) -> Iterable[str]:
    fields = (
        rules.exchange_hosts,
        rules.tenant_ids,
        rules.principals,
        rules.issuer_hosts,
        rules.push_hosts,
        rules.domains,
        rules.service_accounts,
    )
    return dict(zip(_KEYS, fields, strict=True))[key]


def _host(url: str) -> str:
    """The host of a plain https URL, else "", which nothing allows.

    With a user name or a backslash in it, .NET and Python find different hosts in one URL.
    """
    found = _PLAIN_URL.fullmatch(url)
    return found[1].lower() if found else ""


def _refusal(config: PushConfig, key: str, value: str, where: str) -> Refused:
    cure = f"where it is mistyped, {MADE_ANEW}" if key == "tenantIds" else "correct it"
    return Refused(
        Reason.NOT_ALLOWED_BY_POLICY,
        f"{where}: {value or 'its value'} is not allowed for namespace {config.namespace}; "
        f"{cure}, or ask whoever installed the operator to add it to {key} of its policy",
    )
