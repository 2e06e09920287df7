"""The flags of ``plan``. Nothing heavy is imported for them: every command reads all flags."""

from __future__ import annotations

import argparse
from pathlib import Path

from exchange_push_operator.setting_values import file, namespace, object_name
from exchange_push_operator.settings import Parser
from exchange_push_operator.workstation import flags

DESCRIPTION = (
    "Looks at Exchange and Entra ID as the operator does, writes nothing, and prints the very "
    "cmdlets and Graph calls that it would make. Exit code 0: nothing to do; 2: changes; "
    "1: an error, or something kept the plan from being whole."
)
FORMS = ("text", "json", "powershell")


def add_arguments(parser: Parser) -> None:
    """The flags. What cannot be understood is status 1: 2 stands for changes."""
    parser.status = 1
    parser.set_defaults(parser=parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "name", nargs="?", type=named, metavar="NAME", help="a resource of the cluster"
    )
    what.add_argument(
        "-f", "--filename", type=Path, metavar="FILE", help="a resource from a file (-: stdin)"
    )
    parser.add_argument(
        *("-o", "--output"), choices=FORMS, default="text", help="default: text, for people"
    )
    add_cluster_arguments(parser)
    given = parser.add_argument_group("to sign in without the Secrets of a cluster")
    flags.add_account(given, required=False)
    flags.add_application(given)
    operator = parser.add_argument_group("as of the operator")
    policy = "the installer's policy; needed where credentials come from Secrets of the cluster"
    operator.add_argument("--policy", type=flags.read_by(file), metavar="FILE", help=policy)
    flags.add_network(operator)


def named(text: str) -> str:
    """The name of a resource."""
    return flags.read_by(object_name)(text)


def add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    """Which cluster and namespace, as kubectl has them."""
    cluster = parser.add_argument_group("the cluster, as kubectl finds it")
    cluster.add_argument(
        *("-n", "--namespace"),
        type=flags.read_by(namespace),
        metavar="NAME",
        help="default: the context's",
    )
    cluster.add_argument("--context", metavar="NAME", help="default: the current one")
    cluster.add_argument(
        "--kubeconfig", type=flags.read_by(file), metavar="FILE", help="default: KUBECONFIG"
    )
