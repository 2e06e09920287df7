"""What can go wrong, by what to do next.

PushError
├── SpecError        the user edits the resource
├── Refused          a person must act: a Secret, a right, a policy
├── Unreachable      nothing was changed; try again
├── Throttled        nothing was changed; try again when told to
├── OutcomeUnknown   a change may or may not have happened; look before anything is repeated
├── CmdletFailed     the server answered a cmdlet with an error
└── GraphFailed      Microsoft Graph answered a call with an error

Messages are one stable sentence: what, where, which value, what to do. No secret, no time, no
request id, no counter: they go into status, where a changing text would be a write.
"""

from __future__ import annotations

from exchange_push_operator.core.reasons import Reason


class PushError(Exception):
    """Base of all expected trouble. ``str(error)`` is the message for people."""


class SpecError(PushError):
    """The resource asks for something that cannot be."""


class Refused(PushError):
    """Somebody said no, and asking again will not help until a person has acted."""

    def __init__(self, reason: Reason, message: str) -> None:
        """Keep the reason that the Stalled condition will carry."""
        super().__init__(message)
        self.reason = reason


class Unreachable(PushError):
    """No answer. Nothing is known, so nothing is planned."""


class Throttled(PushError):
    """The other side asks for patience of ``retry_after`` seconds (None: it did not say)."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """Keep the pause that was asked for."""
        super().__init__(message)
        self.retry_after = retry_after


class OutcomeUnknown(PushError):
    """A change was sent and its answer was lost."""


class CmdletFailed(PushError):
    """A cmdlet ended with an error.

    ``identifier``, ``category`` and ``kind`` (the .NET exception's type name) are never
    localised and are what decisions rest on; ``str(error)`` is the server's own text, for people.
    ``where`` is ``request``, ``session`` or ``cmdlet``.
    """

    def __init__(
        self,
        message: str,
        *,
        identifier: str = "",
        category: str = "",
        kind: str = "",
        where: str = "cmdlet",
    ) -> None:
        """Keep what the host reported."""
        super().__init__(message)
        self.identifier = identifier
        self.category = category
        self.kind = kind
        self.where = where


class GraphFailed(PushError):
    """Graph answered with a 4xx. ``codes`` holds ``error.code``, inner and detail codes."""

    def __init__(self, message: str, *, status: int, codes: tuple[str, ...] = ()) -> None:
        """Keep the status and every code of the body, outermost first."""
        super().__init__(message)
        self.status = status
        self.codes = codes
