"""The command line of ``plan``."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from exchange_push_operator.adapters.kubernetes_api import KubernetesApi
from exchange_push_operator.adapters.kubernetes_person import Person
from exchange_push_operator.adapters.kubernetes_secrets import KubernetesSecrets
from exchange_push_operator.adapters.kubernetes_service_accounts import KubernetesServiceAccounts
from exchange_push_operator.adapters.policy_file import PolicyFile
from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.errors import PushError, SpecError
from exchange_push_operator.core.policy import Policy
from exchange_push_operator.plan import given, outside
from exchange_push_operator.plan.document import as_json
from exchange_push_operator.plan.given import GivenSecrets, OfThePerson
from exchange_push_operator.plan.manifest import read_manifest
from exchange_push_operator.plan.passive import Planned, Verdict, look
from exchange_push_operator.plan.script import as_powershell
from exchange_push_operator.plan.text import as_text
from exchange_push_operator.setting_values import file
from exchange_push_operator.settings import Parser

DESCRIPTION = (
    "Looks at Exchange and Entra ID as the operator does, writes nothing, and prints the very "
    "cmdlets and Graph calls that it would make. Exit code 0: nothing to do; 2: changes; "
    "1: an error, or something kept the plan from being whole."
)
FORMS: Mapping[str, Callable[[Planned], str]] = {
    "text": as_text,
    "json": as_json,
    "powershell": as_powershell,
}


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
        *("-o", "--output"), choices=tuple(FORMS), default="text", help="default: text, for people"
    )
    add_cluster_arguments(parser)
    given.add_arguments(parser)
    outside.add_arguments(parser)


def add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    """Which cluster and namespace, as kubectl has them."""
    cluster = parser.add_argument_group("the cluster, as kubectl finds it")
    cluster.add_argument("-n", "--namespace", metavar="NAME", help="default: the context's")
    cluster.add_argument("--context", metavar="NAME", help="default: the current one")
    cluster.add_argument(
        "--kubeconfig", type=outside.read_by(file), metavar="FILE", help="default: KUBECONFIG"
    )


def run(options: argparse.Namespace, *, ask: Callable[[str], str] = getpass.getpass) -> int:
    """Plan and print; the exit code."""
    try:
        planned = _plan(options, ask)
    except PushError as error:
        sys.stderr.write(f"{options.parser.prog}: {error}\n")
        return int(Verdict.ERROR)
    sys.stdout.write(FORMS[options.output](planned))
    return int(planned.verdict)


def _plan(options: argparse.Namespace, ask: Callable[[str], str]) -> Planned:
    alone = options.filename is not None and options.username is not None
    person = None if alone else Person(options.kubeconfig, options.context, options.namespace)
    resource = _resource(options, person)
    secrets = given.secrets(options, resource, ask)
    policy: Callable[[], Policy] = PolicyFile(options.policy) if options.policy else OfThePerson
    if secrets or person is None:
        known = GivenSecrets(secrets)
        with outside.world(options, known, known, policy) as world:
            return look(given.with_given(resource, secrets), world)
    if not options.policy:
        raise SpecError(
            "--policy FILE is needed: it says where Secrets of the cluster may be sent; or sign in "
            "yourself with --username"
        )
    accounts = KubernetesServiceAccounts(KubernetesApi(person.client))
    with outside.world(options, KubernetesSecrets(person.client), accounts, policy) as world:
        return look(resource, world)


def _resource(options: argparse.Namespace, person: Person | None) -> Resource:
    if options.filename is not None:
        usual = person.namespace if person else "default"
        return read_manifest(options.filename, options.namespace, usual)
    if person is None:
        raise AssertionError("a name is of a cluster")
    return person.get(options.name)
