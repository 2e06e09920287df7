"""How an assessment signs in from a workstation. A password is never an argument."""

from __future__ import annotations

import argparse
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from exchange_push_operator.assess.flags import PORTS
from exchange_push_operator.core.client_certificate import check_client_certificate
from exchange_push_operator.core.clouds import Cloud
from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.core.ports import ExchangeAccess, GraphAccess, Sensitive


def exchange_access(options: argparse.Namespace, ask: Callable[[str], str]) -> ExchangeAccess:
    """The account of the command line, read-only. Raises: SpecError."""
    keytab = _keytab(options)
    password = None if keytab else Sensitive.of(_password(options, ask))
    return ExchangeAccess(
        transport=options.transport,
        scheme=options.scheme,
        port=options.port or PORTS[options.scheme],
        username=options.username,
        password=password,
        ca_pem=None,
        version="",
        keytab=keytab,
        host_installed=options.host_script == "Installed",
        read_only=True,
    )


def _keytab(options: argparse.Namespace) -> Sensitive | None:
    if options.keytab is None:
        return None
    if options.transport != "Kerberos":
        raise SpecError("--keytab: NTLM cannot use one; leave --transport Kerberos")
    try:
        return Sensitive.of(b64encode(options.keytab.read_bytes()).decode())
    except OSError as error:
        message = f"--keytab {options.keytab}: {error.strerror}"
        raise SpecError(message) from error


def _password(options: argparse.Namespace, ask: Callable[[str], str]) -> str:
    if options.password_file is None:
        return ask(f"Password of {options.username}: ")
    return _text("--password-file", options.password_file).removesuffix("\n").removesuffix("\r")


def graph_access(options: argparse.Namespace, cloud: Cloud, now: datetime) -> GraphAccess:
    """The application of the command line, of no tenant yet. Raises: SpecError, Refused."""
    certificate = _text("--client-certificate", options.client_certificate)
    key = _text("--client-key", options.client_key or options.client_certificate)
    check_client_certificate(certificate, key, now, thorough=True)
    return GraphAccess(
        authority=cloud.authority,
        graph=cloud.graph,
        tenant_id="",
        client_id=options.client_id,
        client_secret=None,
        certificate=certificate,
        private_key=Sensitive.of(key),
        version="command line@",
    )


def _text(flag: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{flag} {path}: cannot be read as UTF-8 text"
        raise SpecError(message) from error
