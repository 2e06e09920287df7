"""``plan``: look, and print what would be changed."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Mapping

from exchange_push_operator.adapters.kubernetes_api import KubernetesApi
from exchange_push_operator.adapters.kubernetes_person import Person
from exchange_push_operator.adapters.kubernetes_secrets import KubernetesSecrets
from exchange_push_operator.adapters.kubernetes_service_accounts import KubernetesServiceAccounts
from exchange_push_operator.adapters.policy_file import PolicyFile
from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.errors import PushError, SpecError
from exchange_push_operator.core.policy import Policy
from exchange_push_operator.plan import given, world
from exchange_push_operator.plan.document import as_json
from exchange_push_operator.plan.given import GivenSecrets, OfThePerson
from exchange_push_operator.plan.manifest import in_place_of, read_manifest
from exchange_push_operator.plan.passive import Planned, Verdict, look
from exchange_push_operator.plan.script import as_powershell
from exchange_push_operator.plan.text import as_text

FORMS: Mapping[str, Callable[[Planned], str]] = {
    "text": as_text,
    "json": as_json,
    "powershell": as_powershell,
}


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
        with world.opened(options, known, known, policy) as passive:
            return look(given.with_given(resource, secrets), passive)
    if not options.policy:
        raise SpecError(
            "--policy FILE is needed: it says where Secrets of the cluster may be sent; or sign in "
            "yourself with --username"
        )
    accounts = KubernetesServiceAccounts(KubernetesApi(person.client))
    with world.opened(options, KubernetesSecrets(person.client), accounts, policy) as passive:
        return look(resource, passive)


def _resource(options: argparse.Namespace, person: Person | None) -> Resource:
    if options.filename is None:
        if person is None:
            raise AssertionError("a name is of a cluster")
        return person.get(options.name)
    usual = person.namespace if person else "default"
    resource = read_manifest(options.filename, options.namespace, usual)
    if person is None:
        return resource
    stored = person.find(resource["metadata"]["name"], resource["metadata"]["namespace"])
    return in_place_of(stored, resource) if stored else resource
