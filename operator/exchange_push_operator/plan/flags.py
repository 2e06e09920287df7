"""The flags of ``plan``. Nothing heavy is imported for them: every command reads all flags."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from exchange_push_operator.setting_values import file, folder, proxy
from exchange_push_operator.settings import Parser

DESCRIPTION = (
    "Looks at Exchange and Entra ID as the operator does, writes nothing, and prints the very "
    "cmdlets and Graph calls that it would make. Exit code 0: nothing to do; 2: changes; "
    "1: an error, or something kept the plan from being whole."
)
FORMS = ("text", "json", "powershell")
USERNAME = "--username"
CERTIFICATE, SECRET = "--client-certificate", "--client-secret-file"

T = TypeVar("T")


def add_arguments(parser: Parser) -> None:
    """The flags. What cannot be understood is status 1: 2 stands for changes."""
    parser.status = 1
    parser.set_defaults(parser=parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("name", nargs="?", metavar="NAME", help="a resource of the cluster")
    what.add_argument(
        "-f", "--filename", type=Path, metavar="FILE", help="a resource from a file (-: stdin)"
    )
    parser.add_argument(
        *("-o", "--output"), choices=FORMS, default="text", help="default: text, for people"
    )
    add_cluster_arguments(parser)
    _add_credentials(parser)
    _add_doors(parser)


def add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    """Which cluster and namespace, as kubectl has them."""
    cluster = parser.add_argument_group("the cluster, as kubectl finds it")
    cluster.add_argument("-n", "--namespace", metavar="NAME", help="default: the context's")
    cluster.add_argument("--context", metavar="NAME", help="default: the current one")
    cluster.add_argument(
        "--kubeconfig", type=_read_by(file), metavar="FILE", help="default: KUBECONFIG"
    )


def _add_credentials(parser: argparse.ArgumentParser) -> None:
    """Who signs in; no secret is ever a flag."""
    given = parser.add_argument_group("to sign in without the Secrets of a cluster")
    given.add_argument(
        USERNAME, metavar="NAME", help="to Exchange: CORP\\name or name@corp.example.com"
    )
    proof = given.add_mutually_exclusive_group()
    proof.add_argument(
        "--password-file", metavar="FILE", type=Path, help="its password; else it is asked for"
    )
    proof.add_argument("--keytab", metavar="FILE", type=Path, help="its keytab instead")
    entra = given.add_mutually_exclusive_group()
    entra.add_argument(
        CERTIFICATE,
        metavar="FILE",
        type=Path,
        help="to Entra ID as the resource's clientId: certificate and private key (PEM)",
    )
    entra.add_argument(SECRET, metavar="FILE", type=Path, help="or its client secret")


def _add_doors(parser: argparse.ArgumentParser) -> None:
    """What the operator is told by its installer."""
    doors = parser.add_argument_group("as of the operator")
    policy = "the installer's policy; needed where credentials come from Secrets of the cluster"
    authorities = "CA certificates (PEM) to trust besides"
    doors.add_argument("--policy", type=_read_by(file), metavar="FILE", help=policy)
    doors.add_argument("--ca-file", type=_read_by(file), metavar="FILE", help=authorities)
    doors.add_argument(
        "--entra-proxy", type=_read_by(proxy), metavar="URL", help="HTTP proxy for Microsoft"
    )
    doors.add_argument(
        "--entra-proxy-credentials",
        type=_read_by(folder),
        metavar="FOLDER",
        help="folder with its username and password; its address then begins with https",
    )


def _read_by(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Argparse repeats a value that is a ValueError; one may hold a password."""

    def parsed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed
