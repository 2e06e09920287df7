"""What a person signs in with, in the place of the Secrets that a resource names.

Each stands in the resource as a Secret that is called like its flag, so errors name the flag.
"""

from __future__ import annotations

import argparse
import copy
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.errors import Refused, SpecError
from exchange_push_operator.core.policy import Policy
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.plan.flags import CERTIFICATE, SECRET, USERNAME

_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\s*", re.DOTALL)
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
    options: argparse.Namespace, resource: Resource, ask: Callable[[str], str]
) -> dict[str, Secret]:
    """What was given, by flag; nothing where all comes from the cluster.

    Raises: SpecError: a file that cannot be read, or a flag that is missing.
    """
    if options.username is None:
        given = vars(options)
        names = ("password_file", "keytab", "client_certificate", "client_secret_file")
        lonely = next((name for name in names if given[name] is not None), None)
        if lonely:
            raise SpecError(f"--{lonely.replace('_', '-')} needs {USERNAME}")
        return {}
    found = {USERNAME: {"username": options.username.encode(), **_proof(options, resource, ask)}}
    if options.client_certificate is not None:
        found[CERTIFICATE] = _certificate(_bytes(CERTIFICATE, options.client_certificate))
    elif options.client_secret_file is not None:
        found[SECRET] = {"secret": _bytes(SECRET, options.client_secret_file)}
    elif resource["spec"]["principal"]["target"] != "None":
        raise SpecError(f"{CERTIFICATE} or {SECRET} is needed to look at the principal's keys")
    return found


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


def _proof(options: argparse.Namespace, resource: Resource, ask: Callable[[str], str]) -> Secret:
    if options.keytab is not None:
        return {"keytab": _bytes("--keytab", options.keytab)}
    if options.password_file is not None:
        text = _bytes("--password-file", options.password_file)
        return {"password": text.removesuffix(b"\n").removesuffix(b"\r")}
    servers = ", ".join(server["name"] for server in resource["spec"]["exchange"]["servers"])
    return {"password": ask(f"Password of {options.username} for {servers}: ").encode()}


def _certificate(pem: bytes) -> Secret:
    blocks = [(found[1], found[0]) for found in _PEM.finditer(pem)]
    keys = [text for label, text in blocks if label.endswith(b"PRIVATE KEY")]
    certificates = [text for label, text in blocks if label == b"CERTIFICATE"]
    if not keys or not certificates:
        raise SpecError(f"{CERTIFICATE}: must hold a certificate and its private key (PEM)")
    return {"tls.crt": b"".join(certificates), "tls.key": keys[0]}


def _bytes(flag: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SpecError(f"{flag} {path}: cannot be read") from error
