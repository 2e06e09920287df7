"""Several resources of one organisation, in namespaces of their own: one rules, whatever the order.

Safety rule 7. On a real API server: tests/end_to_end/test_two_resources.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import pytest

from exchange_push_operator.core.conflict import Peer
from lab.in_process import Lab, Operator, lab
from lab.resources import resource

pytestmark = pytest.mark.lab

# namespace, creationTimestamp, UID: of two that are as old the lower UID rules
OLDEST = ("exchange", "2026-11-21T08:00:00Z", "11111111-0000-4000-8000-000000000001")
TWIN = ("north", "2026-11-21T08:00:00Z", "11111111-0000-4000-8000-000000000002")
YOUNGEST = ("south", "2026-11-21T08:30:00Z", "11111111-0000-4000-8000-000000000000")
BY_AGE = (OLDEST, TWIN, YOUNGEST)


class Cluster:
    """One organisation, resources that describe it, and an operator for all of them."""

    def __init__(self, members: Sequence[tuple[str, str, str]]) -> None:
        first = lab()
        allowed = first.policy["namespaces"]["exchange"]
        policy = {"namespaces": {namespace: allowed for namespace, _, _ in members}}
        self.organization = first.organization
        self.labs = [
            replace(
                first,
                policy=policy,
                resource=resource(namespace=namespace, creationTimestamp=created, uid=uid),
            )
            for namespace, created, uid in members
        ]
        self.operators = [Operator(one) for one in self.labs]

    def turn(self) -> None:
        """A pass of each; what one writes the others know at once."""
        for one, operator in zip(self.labs, self.operators, strict=True):
            if not one.deleted:
                one.peers = [_peer(other) for other in self.labs if not other.deleted]
                operator.step()

    def settle(self) -> None:
        for _ in range(4):
            self.turn()
            self.labs[0].clock.forward(seconds=1)

    def of(self, member: tuple[str, str, str]) -> Lab:
        return next(one for one in self.labs if one.resource["metadata"]["uid"] == member[2])


def _peer(outside: Lab) -> Peer:
    metadata = outside.resource["metadata"]
    return Peer(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        created=metadata["creationTimestamp"],
        organization_id=outside.status.get("organizationId"),
        deleting="deletionTimestamp" in metadata,
    )


@pytest.mark.parametrize(
    "order", list(permutations(BY_AGE)), ids=lambda order: " ".join(one[0] for one in order)
)
def test_the_oldest_rules_whoever_was_looked_at_first(
    order: Sequence[tuple[str, str, str]],
) -> None:
    cluster = Cluster(order)
    cluster.settle()
    assert cluster.of(OLDEST).condition("Ready") == ("True", "Succeeded")
    for loser in (TWIN, YOUNGEST):
        told = cluster.of(loser)
        assert told.condition("Stalled") == ("True", "ConflictingConfig")
        assert "exchange/fabrikam is older" in told.status["conditions"][0]["message"]
    made = len(cluster.organization.changes)
    cluster.settle()
    assert len(cluster.organization.changes) == made


def test_as_soon_as_the_oldest_goes_the_next_one_rules_and_so_on() -> None:
    cluster = Cluster(BY_AGE)
    cluster.settle()
    for gone, heir in ((OLDEST, TWIN), (TWIN, YOUNGEST)):
        cluster.of(gone).delete()
        assert cluster.of(gone).deleted
        cluster.of(heir).administrator("Disable-PushNotificationProxy", Confirm=False)
        cluster.turn()
        assert cluster.of(heir).condition("Ready")[0] == "True"
        assert cluster.of(heir).exchange()["proxy"]["enabled"] is True


def test_one_that_is_being_deleted_rules_until_it_is_gone() -> None:
    cluster = Cluster((OLDEST, YOUNGEST))
    cluster.settle()
    oldest, youngest = cluster.labs
    oldest.resource["metadata"]["finalizers"] = ["example.com/theirs"]
    oldest.delete()
    cluster.operators[1].step()
    assert youngest.condition("Stalled") == ("True", "ConflictingConfig")
