"""What is remembered of a resource follows the API server, backwards too."""

from __future__ import annotations

from typing import Any

from exchange_push_operator.handlers.cache import Cache, Noticed

KEY = ("exchange", "fabrikam")


def sight(
    version: int, generation: int = 1, organization: str | None = None, name: str = KEY[1]
) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": KEY[0],
            "name": name,
            "uid": "uid",
            "generation": generation,
            "resourceVersion": str(version),
            "creationTimestamp": "2026-11-21T09:00:00Z",
        },
        "status": {"organizationId": organization},
    }


def test_an_older_sight_is_ignored() -> None:
    cache = Cache()
    cache.put(KEY, sight(900, generation=2))
    assert cache.put(KEY, sight(800)) == Noticed()
    assert cache.put(KEY, sight(900, generation=2)) == Noticed()


def test_what_is_listed_is_the_truth_after_etcd_was_restored() -> None:
    cache = Cache()
    cache.put(KEY, sight(900, generation=5, organization="new"))
    noticed = cache.put(KEY, sight(300, generation=3, organization="old"), listed=True)
    assert noticed == Noticed(asks=True, organizations=frozenset({"new", "old"}))


def test_changes_after_the_list_are_heard_although_their_versions_were_there_before() -> None:
    cache = Cache()
    cache.put(KEY, sight(900, generation=5))
    cache.put(KEY, sight(300, generation=3), listed=True)
    assert cache.put(KEY, sight(301, generation=4)).asks
    assert not cache.put(KEY, sight(300, generation=3)).asks


def test_peers_are_the_others_of_one_organization() -> None:
    cache = Cache()
    for name, organization in (("a", "one"), ("b", "one"), ("c", "two"), ("d", None)):
        cache.put(("exchange", name), sight(900, organization=organization, name=name))
    assert [peer.name for peer in cache.peers(("exchange", "a"), "one")] == ["b"]
    assert [peer.name for peer in cache.peers(("exchange", "d"), "two")] == ["c"]
    assert not cache.peers(("exchange", "c"), "two")
    assert not cache.peers(("exchange", "a"), "three")
