"""What was written to principals moments ago and is not shown yet.

Reads of Entra ID lag behind writes. Two resources may share a principal: on a list that does not
show the first one's key yet, the second one's write would drop it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from exchange_push_operator.core.key_credentials import KeyCredential

_LAGS = timedelta(minutes=5)


class Written:
    """By principal, the keyIds of the last write. Losing this costs no more than a repeated write.

    Used under the lock of the principal only.
    """

    def __init__(self) -> None:
        """Nothing has been written yet."""
        self._last: dict[str, tuple[datetime, frozenset[str]]] = {}
        self._shown: set[str] = set()

    def note(self, principal: str, key_ids: Iterable[str], now: datetime) -> None:
        """Remember what was sent."""
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
        if principal not in self._last:
            return False
        written, key_ids = self._last[principal]
        if not timedelta(0) <= now - written < _LAGS:
            del self._last[principal]
            return False
        missing = key_ids - {entry.key_id for entry in entries}
        if not missing:
            self._shown.add(principal)
        return bool(missing) and not (principal in self._shown and missing <= sending)
