"""A request to the host script, and whether its answer is to be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exchange_push_operator.adapters.exchange_session import is_broken
from exchange_push_operator.adapters.foreign_text import short
from exchange_push_operator.adapters.powershell_host import Message, answers, encode_run
from exchange_push_operator.adapters.winrm_trouble import Gone
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import OutcomeUnknown, PushError, Unreachable
from exchange_push_operator.core.ports import Answer, Fence, no_fence
from exchange_push_operator.core.request_id import request_id


@dataclass(slots=True)
class Request:
    """A batch of cmdlets. The host runs one ``identifier`` once, however often it comes."""

    batch: Sequence[Cmdlet]
    changes: bool
    identifier: str
    line: bytes
    wanted: Fence = no_fence
    sent: bool = False

    @classmethod
    def of(cls, batch: Sequence[Cmdlet], *, changes: bool, wanted: Fence = no_fence) -> Request:
        """A new one; a batch that changes something stops at its first error."""
        identifier = request_id()
        line = encode_run(identifier, batch, stop_on_error=changes)
        return cls(batch, changes, identifier, line, wanted)

    @property
    def is_open(self) -> bool:
        """Whether it may have changed something."""
        return self.changes and self.sent

    def pass_the_fence(self, fence: Fence, server: str) -> None:
        """To be called right before it is sent.

        Raises: Unreachable; OutcomeUnknown where it was sent before and has no answer.
        """
        try:
            if self.changes:
                fence()
                self.wanted()
        except Unreachable as error:
            if self.is_open:
                raise self.answer_lost(server) from error
            raise

    def answer_lost(self, server: str) -> OutcomeUnknown:
        """It was sent, and nobody knows what came of it."""
        names = ", ".join(command.name for command in self.batch)
        return OutcomeUnknown(f"{server}: the answer to {names} was lost")

    def believe(self, message: Message, boot: str, server: str) -> tuple[Answer, ...]:
        """What the process ``boot`` of a server said to it.

        Raises:
            Gone: the process is not the one that was asked, or says what cannot be.
            OutcomeUnknown, Unreachable: a cmdlet did not end, and the process with it.
        """
        if message.get("boot") != boot or "fatal" in message:
            why = short(str(message.get("fatal") or "another process"))
            raise Gone(text=f"the host script does not answer as it should ({why})")
        try:
            found = answers(message)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Gone(text="the host's answer has another form") from error
        if message.get("stuck"):
            raise self._stuck(self.batch[max(0, len(found) - 1)].name, server)
        if any(map(is_broken, found)):
            raise Gone(text="the Exchange session broke")
        if len(found) != len(self.batch) and not self.changes:
            raise Gone(text="the host's answer is not complete")
        return found

    def _stuck(self, name: str, server: str) -> PushError:
        if self.changes:
            return OutcomeUnknown(f"{server}: {name} did not end in time")
        return Unreachable(f"{server}: {name} does not end; check the server's load")
