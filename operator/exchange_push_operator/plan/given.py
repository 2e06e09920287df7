"""What a person signs in with, in the place of the Secrets that a resource names.

Each stands in the resource as a Secret that is called like its flag, so errors name the flag.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Mapping
from typing import Any

from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.errors import Refused, SpecError
from exchange_push_operator.core.policy import Policy
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.workstation import application, exchange, files
from exchange_push_operator.workstation.flags import CERTIFICATE, KEY, SECRET, USERNAME

_NEED_AN_ACCOUNT = ("--password-file", "--keytab", CERTIFICATE, KEY, SECRET)
Secret = dict[str, bytes]


class GivenSecrets:
    """Fills the ports ``Secrets`` and ``ServiceAccounts`` without a cluster."""

    def __init__(self, secrets: Mapping[str, Secret]) -> None:
        self._secrets = secrets

    def read(self, _namespace: str, name: str) -> tuple[Mapping[str, bytes], str]:
        """What was given. Raises: Refused."""
        if name not in self._secrets:
            raise Refused(Reason.SECRET_NOT_FOUND, f"{name} is not given, and there is no cluster")
        return self._secrets[name], "given"

    def token(self, _namespace: str, name: str, _audience: str) -> str:
        """No cluster, no account. Raises: Refused."""
        message = f"service account {name} is of a cluster: give {CERTIFICATE} or {SECRET}"
        raise Refused(Reason.SERVICE_ACCOUNT_NOT_FOUND, message)


class OfThePerson(Policy):
    """Who signs in with his own credentials sees the hosts that get them, and may name any."""

    def check(self, config: object) -> None:
        """Nothing to refuse."""

    def check_tenant(self, config: object, tenant_id: str) -> None:
        """Nothing to refuse."""


def secrets(
    options: argparse.Namespace, resource: Resource, ask: exchange.Ask
) -> dict[str, Secret]:
    """What was given, by flag; nothing where all comes from the cluster.

    Raises: SpecError: a file that cannot be read, or a flag that is missing.
    """
    if options.username is None:
        given = vars(options)
        lonely = next((flag for flag in _NEED_AN_ACCOUNT if given[_field(flag)] is not None), None)
        if lonely:
            raise SpecError(f"{lonely} needs {USERNAME}")
        return {}
    if not application.is_given(options) and resource["spec"]["principal"]["target"] != "None":
        raise SpecError(f"{CERTIFICATE} or {SECRET} is needed to look at the principal's keys")
    found: dict[str, Secret] = {}
    pair, secret = application.pair(options), application.secret(options)
    if pair is not None:
        found[CERTIFICATE] = {"tls.crt": pair[0].encode(), "tls.key": pair[1].encode()}
    elif secret is not None:
        found[SECRET] = {"secret": secret.encode()}
    found[USERNAME] = {"username": options.username.encode(), **_proof(options, resource, ask)}
    return found


def _field(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _proof(options: argparse.Namespace, resource: Resource, ask: exchange.Ask) -> Secret:
    if options.keytab is not None:
        return {"keytab": files.content("--keytab", options.keytab)}
    servers = ", ".join(server["name"] for server in resource["spec"]["exchange"]["servers"])
    return {"password": exchange.password(options, ask, servers).encode()}


def with_given(resource: Resource, given: Mapping[str, Secret]) -> Resource:
    """The resource, which names what was given in the place of Secrets."""
    changed: dict[str, Any] = copy.deepcopy(dict(resource))
    connection, tenant = changed["spec"]["exchange"]["connection"], changed["spec"]["tenant"]
    connection["credentialsSecretRef"] = {"name": USERNAME}
    connection.pop("caSecretRef", None)
    client = (tenant.get("credentials") or {}).get("clientId")
    if CERTIFICATE in given:
        named = {"clientCertificate": {"secretRef": {"name": CERTIFICATE}}}
        tenant["credentials"] = {"clientId": client, **named}
    elif SECRET in given:
        named = {"clientSecret": {"secretRef": {"name": SECRET, "key": "secret"}}}
        tenant["credentials"] = {"clientId": client, **named}
    return changed
