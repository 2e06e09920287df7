"""How a person signs in to Exchange. A password is never an argument."""

from __future__ import annotations

import argparse
from base64 import b64encode
from collections.abc import Callable

from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.core.ports import ExchangeAccess, Sensitive
from exchange_push_operator.workstation import files
from exchange_push_operator.workstation.flags import PORTS

Ask = Callable[[str], str]


def port(options: argparse.Namespace) -> int:
    """The one that was given, else the one that is usual for the scheme."""
    number: int = options.port or PORTS[options.scheme]
    return number


def access(options: argparse.Namespace, ask: Ask) -> ExchangeAccess:
    """The account of the command line, which may only look. Raises: SpecError."""
    keytab = _keytab(options)
    return ExchangeAccess(
        transport=options.transport,
        scheme=options.scheme,
        port=port(options),
        username=options.username,
        password=None if keytab else Sensitive.of(password(options, ask)),
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
    return Sensitive.of(b64encode(files.content("--keytab", options.keytab)).decode())


def password(options: argparse.Namespace, ask: Ask, servers: str = "") -> str:
    """From the file without its last line end, or from whoever types. Raises: SpecError.

    ``servers``: who gets it, where they are not on the command line already.
    """
    if options.password_file is None:
        typed = ask(f"Password of {options.username}{servers and f' for {servers}'}: ")
        return _something("the password", typed)
    text = files.text("--password-file", options.password_file)
    word = text.removesuffix("\n").removesuffix("\r")
    return _something(f"--password-file {options.password_file}", word)


def _something(source: str, word: str) -> str:
    """Nobody's password is empty, and a try may count against the account. Raises: SpecError."""
    if not word:
        raise SpecError(f"{source}: is empty")
    return word
