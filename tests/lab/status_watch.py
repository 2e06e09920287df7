"""A watch of a real API server that lints every status as it is stored."""

from __future__ import annotations

import json
import threading
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import requests

from exchange_push_operator.core.config import GROUP, PLURAL, VERSION
from lab import wait
from lab.cluster import Cluster
from lab.status_lint import BROKEN_RULES

_SECONDS = 2  # of one watch: as long as leaving may have to wait
Object = dict[str, Any]
Key = tuple[str, str]


class StatusWatch:
    """Enter it once the CRD is served; what breaks a rule is in ``BROKEN_RULES``.

    The API server stores one change after another, and a watch gives all of them in order: the
    object before a change of status is the one that the writer had read.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._url = f"{cluster.url}/apis/{GROUP}/{VERSION}/{PLURAL}"
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the environment cannot reach this
        self._session.verify = str(cluster.ca_file)
        self._session.headers["Authorization"] = f"Bearer {cluster.admin_token}"
        self._known: dict[Key, Object] = {}
        self._seen = 0
        self._trouble: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="status watch", daemon=True)
        self.linted = 0

    def __enter__(self) -> Self:
        self._list()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(_SECONDS + 10)
        self._session.close()

    def caught_up(self) -> None:
        """Wait until all that is stored by now has been linted."""
        answer = requests.get(
            self._url, headers=self._session.headers, verify=self._session.verify, timeout=10
        )
        answer.raise_for_status()
        newest = max((_version(item) for item in answer.json()["items"]), default=0)
        wait.until(lambda: self._trouble or self._seen >= newest, 10, "the watch to catch up")
        if self._trouble is not None:
            raise self._trouble

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._watch()
        except (requests.RequestException, ValueError, KeyError) as error:
            if not self._stop.is_set():
                self._trouble = error

    def _list(self) -> None:
        listed = wait.until(self._items, 30, "the resources to be served") or {}
        self._known = {_key(item): item for item in listed["items"]}
        self._seen = int(listed["metadata"]["resourceVersion"])

    def _items(self) -> Object | None:
        """None while the API server makes ready what a CRD has just brought."""
        answer = self._session.get(self._url, timeout=10)
        if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            return None
        answer.raise_for_status()
        found: Object = answer.json()
        return found

    def _watch(self) -> None:
        asked = {"watch": "1", "resourceVersion": str(self._seen), "timeoutSeconds": str(_SECONDS)}
        with self._session.get(self._url, params=asked, stream=True, timeout=30) as answer:
            if answer.status_code == HTTPStatus.GONE:
                self._list()
                return
            answer.raise_for_status()
            for line in answer.iter_lines(chunk_size=None):
                self._take(json.loads(line))

    def _take(self, event: Object) -> None:
        if event["type"] == "ERROR":  # too old: what has been missed cannot be linted
            self._list()
            return
        new = event["object"]
        key = _key(new)
        old = self._known.get(key)
        same = old is not None and old["metadata"]["uid"] == new["metadata"]["uid"]
        if old is not None and same and old.get("status") != new.get("status"):
            BROKEN_RULES.note(old, new["status"])
            self.linted += 1
        self._known[key] = new
        if event["type"] == "DELETED":
            del self._known[key]
        self._seen = _version(new)


def _key(resource: Object) -> Key:
    metadata = resource["metadata"]
    return metadata["namespace"], metadata["name"]


def _version(resource: Object) -> int:
    return int(resource["metadata"]["resourceVersion"])
