"""What was written to principals moments ago and is not shown yet.

Reads of Entra ID lag behind writes. Two resources may share a principal: on a list that does not
show the first one's key yet, the second one's write would drop it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta

from exchange_push_operator.core.key_credentials import KeyCredential

_LAGS = timedelta(minutes=5)


class Written:
    """By principal, the keyIds of the last write. Losing this costs no more than a repeated write.

    One principal is used under its lock only.
    """

    def __init__(self) -> None:
        """Nothing has been written yet."""
        self._guard = threading.Lock()
        self._last: dict[str, tuple[datetime, frozenset[str]]] = {}
        self._shown: set[str] = set()

    def __len__(self) -> int:
        """How many principals are remembered."""
        return len(self._last)

    def note(self, principal: str, key_ids: Iterable[str], now: datetime) -> None:
        """Remember what was sent, and forget what every reader knows by now."""
        with self._guard:
            for old in [one for one, (when, _) in self._last.items() if not _lags(when, now)]:
                self._forget(old)
            self._last[principal] = (now, frozenset(key_ids))
            self._shown.discard(principal)

    def unseen(
        self,
        principal: str,
        entries: Iterable[KeyCredential],
        now: datetime,
        sending: frozenset[str] = frozenset(),
    ) -> bool:
        """Whether these entries are older than the last write, and ``sending`` would drop a key.

        One that was shown may be hidden again by the next reader, which lags behind the first; or
        somebody has removed it, and it is only put back. After five minutes what is missing has
        been removed, or has another id.
        """
        with self._guard:
            written, key_ids = self._last.get(principal, (now, frozenset()))
            if not _lags(written, now):
                self._forget(principal)
                return False
            missing = key_ids - {entry.key_id for entry in entries}
            if not missing and key_ids:
                self._shown.add(principal)
            return bool(missing) and not (principal in self._shown and missing <= sending)

    def _forget(self, principal: str) -> None:
        del self._last[principal]
        self._shown.discard(principal)


def _lags(written: datetime, now: datetime) -> bool:
    """Whether a reader may still not know of it; a clock that was set back tells nothing."""
    return timedelta(0) <= now - written < _LAGS
