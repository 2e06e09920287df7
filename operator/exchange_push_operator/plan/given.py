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

_CERTIFICATE, _SECRET, _EXCHANGE = "--client-certificate", "--client-secret-file", "--username"
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
        message = f"service account {name} is of a cluster: give {_CERTIFICATE} or {_SECRET}"
        raise Refused(Reason.SERVICE_ACCOUNT_NOT_FOUND, message)


class OfThePerson(Policy):
    """Who signs in with his own credentials sees the hosts that get them, and may name any."""

    def check(self, config: object) -> None:
        """Nothing to refuse."""

    def check_tenant(self, config: object, tenant_id: str) -> None:
        """Nothing to refuse."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags; no secret is ever one of them."""
    given = parser.add_argument_group("to sign in without the Secrets of a cluster")
    given.add_argument(
        _EXCHANGE, metavar="NAME", help="to Exchange: CORP\\name or name@corp.example.com"
    )
    proof = given.add_mutually_exclusive_group()
    proof.add_argument(
        "--password-file", metavar="FILE", type=Path, help="its password; else it is asked for"
    )
    proof.add_argument("--keytab", metavar="FILE", type=Path, help="its keytab instead")
    entra = given.add_mutually_exclusive_group()
    entra.add_argument(
        _CERTIFICATE,
        metavar="FILE",
        type=Path,
        help="to Entra ID as the resource's clientId: certificate and private key (PEM)",
    )
    entra.add_argument(_SECRET, metavar="FILE", type=Path, help="or its client secret")


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
            raise SpecError(f"--{lonely.replace('_', '-')} needs {_EXCHANGE}")
        return {}
    found = {_EXCHANGE: {"username": options.username.encode(), **_proof(options, resource, ask)}}
    if options.client_certificate is not None:
        found[_CERTIFICATE] = _certificate(_bytes(_CERTIFICATE, options.client_certificate))
    elif options.client_secret_file is not None:
        found[_SECRET] = {"secret": _bytes(_SECRET, options.client_secret_file)}
    elif resource["spec"]["principal"]["target"] != "None":
        raise SpecError(f"{_CERTIFICATE} or {_SECRET} is needed to look at the principal's keys")
    return found


def with_given(resource: Resource, given: Mapping[str, Secret]) -> Resource:
    """The resource, which names what was given in the place of Secrets."""
    changed: dict[str, Any] = copy.deepcopy(dict(resource))
    connection, tenant = changed["spec"]["exchange"]["connection"], changed["spec"]["tenant"]
    connection["credentialsSecretRef"] = {"name": _EXCHANGE}
    connection.pop("caSecretRef", None)
    client = (tenant.get("credentials") or {}).get("clientId")
    if _CERTIFICATE in given:
        named = {"clientCertificate": {"secretRef": {"name": _CERTIFICATE}}}
        tenant["credentials"] = {"clientId": client, **named}
    elif _SECRET in given:
        named = {"clientSecret": {"secretRef": {"name": _SECRET, "key": "secret"}}}
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
        raise SpecError(f"{_CERTIFICATE}: must hold a certificate and its private key (PEM)")
    return {"tls.crt": b"".join(certificates), "tls.key": keys[0]}


def _bytes(flag: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SpecError(f"{flag} {path}: cannot be read") from error
