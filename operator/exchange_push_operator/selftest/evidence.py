"""What a server showed during the self-test, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exchange_push_operator.core.commands import Cmdlet, Row
from exchange_push_operator.core.errors import CmdletFailed, PushError
from exchange_push_operator.core.ports import Answer


@dataclass(frozen=True, slots=True)
class Echo:
    """What WinRM said to a call that had to fail: WS-Man's code, or another exception's name."""

    code: int | None
    name: str = ""

    def __str__(self) -> str:
        """The code where there is one."""
        return str(self.code) if self.code is not None else self.name


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was asked, and what came back. What is not there was not asked.

    ``ready`` is the first line of the host script. ``seconds`` has the wall time of parts,
    ``milliseconds`` the host's own measure of a cmdlet. ``failure`` ended the looks before they
    were answered. ``quotas`` are WinRM's settings by name.
    """

    server: str
    answers: Mapping[Cmdlet, Answer] = field(default_factory=dict)
    milliseconds: Mapping[Cmdlet, int] = field(default_factory=dict)
    ready: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    failure: PushError | None = None
    quotas: Mapping[str, str] | None = None
    dead_process: Echo | None = None
    gone_shell: Echo | None = None
    resets_after_idle: int | None = None

    def rows(self, look: Cmdlet) -> tuple[Row, ...]:
        """The rows of a look; none where it failed or was not asked."""
        answer = self.answers.get(look)
        return answer.rows if answer is not None else ()

    def error(self, look: Cmdlet) -> CmdletFailed | None:
        """The error of a look, if it had one."""
        answer = self.answers.get(look)
        return answer.error if answer is not None else None
