"""The roster of resources: what is known of each, what wakes it, what it keeps between passes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.conflict import Peer
from exchange_push_operator.handlers.cache import Cache, Noticed, signature
from exchange_push_operator.handlers.secret_users import SecretUsers
from exchange_push_operator.handlers.workqueue import Key, WorkQueue
from exchange_push_operator.reconcile import Memory

# Neighbours in a list often share servers; beyond this many, first looks come in another order.
_SPREAD_FROM = 100
_FIRST_LOOKS_PER_SECOND = 1000.0


class Roster:
    """Turns what is seen of resources into work. To be used in one event loop."""

    def __init__(self, queue: WorkQueue, rng: Callable[[], float]) -> None:
        """Start empty. ``rng`` gives numbers from 0 to 1."""
        self._queue = queue
        self._rng = rng
        self._cache = Cache()
        self._secret_users = SecretUsers()
        self._memories: dict[Key, tuple[str, Memory]] = {}
        self._unlisted: set[Key] = set()

    def __len__(self) -> int:
        """How many resources there are."""
        return len(self._cache)

    def __contains__(self, key: Key) -> bool:
        """Whether the resource exists, as far as is known."""
        return key in self._cache

    def keys(self) -> Collection[Key]:
        """All resources."""
        return set(self._cache)

    def uid(self, key: Key) -> str | None:
        """The UID of the resource; None where there is none."""
        known = self._cache.get(key)
        return known.peer.uid if known else None

    def lane(self, key: Key) -> tuple[str, bool]:
        """What the resource shares with others, and whether that is surely its organisation."""
        known = self._cache.get(key)
        if known is None:
            return "/".join(key), False
        return known.lane, known.peer.organization_id is not None

    def peers(self, key: Key, organization: str) -> Sequence[Peer]:
        """The other resources of an organisation, as they are known. Safe in every thread."""
        return self._cache.peers(key, organization)

    def memory(self, key: Key, uid: str) -> Memory:
        """What the reconciler keeps between the passes of one object."""
        known = self._memories.get(key)
        if known is None or known[0] != uid:
            known = self._memories[key] = (uid, Memory())
        return known[1]

    def watched(self, resource: Resource, *, listed: bool) -> None:
        """An object came in: listed at the start, or because it changed."""
        key = key_of(resource)
        self._unlisted.discard(key)
        self._secret_users.put(key, resource)
        noticed = self._cache.put(key, resource, listed=listed)
        if noticed.asks and listed:
            self._first_look(key)
        elif noticed.asks:
            self._queue.add(key)
        self._wake_others(key, noticed)

    def listing(self, namespace: str | None) -> None:
        """All is listed anew: the watch was cut for so long that what has happened is not told."""
        self._unlisted |= {key for key in self._cache if namespace in (None, key[0])}

    def look_for_unlisted(self, namespace: str | None) -> None:
        """What was not listed has gone, and nobody will say so: a look finds out."""
        missing = {key for key in self._unlisted if namespace in (None, key[0])}
        self._unlisted -= missing
        for key in missing & set(self._cache):
            self._queue.add(key)

    def secret_watched(self, change: str | None, secret: Resource) -> None:
        """A Secret came in: whatever names it is looked at now."""
        version = secret["metadata"]["resourceVersion"]
        for key in self._secret_users.changed(change, key_of(secret), version):
            self._queue.add(key)

    def written(self, resource: Resource) -> None:
        """A pass read or wrote an object itself: it need not be woken for what it knows.

        From here on other passes know which organisation the object is of; the watch would tell
        them too late (safety rule 7). It is looked at again itself where it meets others there:
        they may have come while its pass ran.
        """
        key = key_of(resource)
        if self._wake_others(key, self._cache.put(key, resource)):
            self._queue.add(key)

    def moved_on(self, key: Key, resource: Resource) -> Callable[[], bool]:
        """Tells whether the object asks for something else by now, or is gone.

        Safe in every thread. It lives on in the resource's memory, so it keeps no object.
        """
        asked = signature(resource)

        def has_moved_on() -> bool:
            known = self._cache.get(key)
            return known is None or known.signature != asked

        return has_moved_on

    def gone(self, key: Key, uid: str) -> None:
        """An object is gone; nothing happens where another of its name has come already."""
        if self.uid(key) != uid:
            return
        self._queue.drop(key)
        self._memories.pop(key, None)
        self._secret_users.remove(key)
        self._wake_others(key, self._cache.remove(key))

    def _first_look(self, key: Key) -> None:
        known = len(self._cache)
        if known > _SPREAD_FROM:
            self._queue.add_after(key, self._rng() * known / _FIRST_LOOKS_PER_SECOND)
        else:
            self._queue.add(key, urgent=False)

    def _wake_others(self, key: Key, noticed: Noticed) -> bool:
        """Look at those whose organisation it joined or left; whether there are any."""
        others = self._cache.members(noticed.organizations) - {key}
        for other in others:
            self._queue.add(other)
        return bool(others)


def key_of(resource: Resource) -> Key:
    """Namespace and name."""
    metadata = resource["metadata"]
    return metadata["namespace"], metadata["name"]
