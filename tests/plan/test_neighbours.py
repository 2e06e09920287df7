"""A plan of a resource of the cluster knows the others, as far as the person may list them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from exchange_push_operator.adapters.kubernetes_person import Person
from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.plan.neighbours import neighbours
from exchange_push_operator.plan.passive import Verdict, look
from exchange_push_operator.plan.text import as_text
from lab.in_process import OLDER, lab
from lab.resources import resource

pytestmark = pytest.mark.lab


class Listing:
    """A person who may list some of the resources."""

    namespace = "exchange"

    def __init__(self, *, everywhere: bool, own: bool, found: list[Resource]) -> None:
        self.may = {True: everywhere, False: own}
        self.found = found

    def listed(self, *, everywhere: bool) -> list[Resource]:
        if not self.may[everywhere]:
            raise Refused(Reason.ACCESS_DENIED, "the API server refuses it")
        return self.found


def asked(*found: Resource, **may: bool) -> Any:
    return neighbours(cast("Person", Listing(found=list(found), **may)), found[0])


def other(**metadata: str) -> Resource:
    one = dict(resource())
    one["metadata"] = {**one["metadata"], **metadata}
    one["status"] = {"organizationId": OLDER.organization_id}
    return one


OWN = resource()
OTHER = other(
    namespace=OLDER.namespace, name=OLDER.name, uid=OLDER.uid, creationTimestamp=OLDER.created
)


def test_every_other_resource_of_the_cluster_is_known() -> None:
    assert asked(OWN, OTHER, everywhere=True, own=True) == ((OLDER,), ())


def test_who_may_list_one_namespace_is_told_what_was_not_looked_at() -> None:
    peers, (unseen,) = asked(OWN, OTHER, everywhere=False, own=True)
    assert peers == (OLDER,)
    assert unseen.startswith("ConflictingConfig, with resources of other namespaces: the API ")


def test_who_may_list_nothing_is_told_so() -> None:
    peers, (unseen,) = asked(OWN, OTHER, everywhere=False, own=False)
    assert peers == ()
    assert "of this namespace and others" in unseen


def test_an_older_resource_of_the_organization_is_in_the_way() -> None:
    outside = lab()
    planned = look(outside.resource, outside.operator().world, (OLDER,))
    assert planned.verdict is Verdict.ERROR
    assert planned.in_the_way[0].startswith("ConflictingConfig: other/first is older")
    assert "NotObserved" not in as_text(planned)


def test_what_was_not_looked_at_is_printed_and_the_plan_stands() -> None:
    outside = lab()
    planned = look(outside.resource, outside.operator().world)
    told = as_text(replace(planned, unseen=("ConflictingConfig: why",)))
    assert "\nNot looked at: ConflictingConfig: why\n" in told
    assert planned.verdict is Verdict.CHANGES
