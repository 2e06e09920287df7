"""Two resources that mean one Exchange organisation: the older one rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from answers import ORGANIZATION_ID, config
from exchange_push_operator.core.conflict import Peer, check_conflict
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.reasons import Reason

MINE = config(uid="5")
PEER = Peer("other", "one", "4", "2026-11-21T07:00:00Z", ORGANIZATION_ID, deleting=False)


@pytest.mark.parametrize(
    "peer",
    [
        PEER,
        replace(PEER, created=MINE.created),
        replace(PEER, deleting=True),
    ],
    ids=["older", "as old with a lower UID", "older and on its way out"],
)
def test_this_one_writes_nothing_where_another_is(peer: Peer) -> None:
    younger = replace(PEER, name="younger", uid="9", created="2026-11-22T00:00:00Z")
    with pytest.raises(Refused, match="other/one is older") as refused:
        check_conflict(MINE, ORGANIZATION_ID, [younger, peer])
    assert refused.value.reason is Reason.CONFLICTING_CONFIG


@pytest.mark.parametrize(
    "peer",
    [
        replace(PEER, created="2026-11-21T09:00:00Z"),
        replace(PEER, created=MINE.created, uid="6"),
        replace(PEER, organization_id="another"),
        replace(PEER, organization_id=None),
        replace(PEER, uid=MINE.uid),
    ],
    ids=[
        "younger",
        "as old with a higher UID",
        "of another organisation",
        "one that has not signed in",
        "itself",
    ],
)
def test_this_one_rules_where_the_other_is(peer: Peer) -> None:
    check_conflict(MINE, ORGANIZATION_ID, [peer])


def test_the_oldest_of_several_is_named_whatever_their_order() -> None:
    oldest = replace(PEER, name="oldest", created="2020-01-01T00:00:00Z")
    for peers in ([PEER, oldest], [oldest, PEER]):
        with pytest.raises(Refused, match="other/oldest is older"):
            check_conflict(MINE, ORGANIZATION_ID, peers)
