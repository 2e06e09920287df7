"""``plan``: look, and print what would be changed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

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
from exchange_push_operator.plan.given import GivenSecrets, OfThePerson, Secret
from exchange_push_operator.plan.manifest import in_place_of, read_manifest
from exchange_push_operator.plan.neighbours import neighbours
from exchange_push_operator.plan.passive import Planned, Verdict, look
from exchange_push_operator.plan.script import as_powershell
from exchange_push_operator.plan.text import as_text
from exchange_push_operator.reconcile import World
from exchange_push_operator.workstation import exchange
from exchange_push_operator.workstation.asking import ask_at_terminal
from exchange_push_operator.workstation.wording import for_who_signs_in_here

FORMS: Mapping[str, Callable[[Planned], str]] = {
    "text": as_text,
    "json": as_json,
    "powershell": as_powershell,
}


def run(options: argparse.Namespace, *, ask: exchange.Ask = ask_at_terminal) -> int:
    """Plan and print; the exit code."""
    try:
        planned = _plan(options, ask)
    except PushError as error:
        sys.stderr.write(f"{options.parser.prog}: {error}\n")
        return int(Verdict.ERROR)
    sys.stdout.write(FORMS[options.output](planned))
    return int(planned.verdict)


def _plan(options: argparse.Namespace, ask: exchange.Ask) -> Planned:
    alone = options.filename is not None and options.username is not None
    person = None if alone else Person(options.kubeconfig, options.context, options.namespace)
    resource = _resource(options, person)
    stored = resource["metadata"]["uid"] != ""
    peers, unseen = neighbours(person, resource) if person and stored else ((), ())
    secrets = given.secrets(options, resource, ask)
    with _world(options, person, secrets) as passive:
        if not secrets:
            return replace(look(resource, passive, peers), unseen=unseen)
        planned = look(given.with_given(resource, secrets), passive, peers)
    return replace(planned, status=_worded(planned.status), unseen=unseen)


def _world(
    options: argparse.Namespace, person: Person | None, secrets: Mapping[str, Secret]
) -> AbstractContextManager[World]:
    """The doors, and whose secrets open them."""
    policy: Callable[[], Policy] = PolicyFile(options.policy) if options.policy else OfThePerson
    if secrets or person is None:
        known = GivenSecrets(secrets)
        return world.opened(options, known, known, policy)
    if not options.policy:
        raise SpecError(
            "--policy FILE is needed: it says where Secrets of the cluster may be sent; or sign in "
            "yourself with --username"
        )
    accounts = KubernetesServiceAccounts(KubernetesApi(person.client))
    return world.opened(options, KubernetesSecrets(person.client), accounts, policy)


def _worded(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """Who signs in with flags has no Secret to look into."""
    found = status.get("conditions") or ()
    told = [{**one, "message": for_who_signs_in_here(one["message"])} for one in found]
    return {**status, "conditions": told}


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
