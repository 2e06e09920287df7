"""One domain controller for a whole pass: a look after a change sees the change.

Each Exchange server reads and writes Active Directory through a controller of its choice, and
replication takes from seconds to a quarter of an hour. Get-AuthConfig, the first look of every
pass, says which controller answered (OriginatingServer); from then on every cmdlet that takes
``-DomainController`` is sent to that one, from whichever server. The push-notification cmdlets do
not take it, and neither does what is looked at on a server itself: what those do not see yet is
Settling. The next pass starts anew, so a controller that went away is asked by one pass at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import OutcomeUnknown, Unreachable
from exchange_push_operator.core.ports import Answer, Exchange

PARAMETER = "DomainController"
TAKE_IT = frozenset(
    {
        "Get-AuthConfig",
        "Get-AuthServer",
        "Get-ExchangeCertificate",
        "Get-ExchangeServer",
        "Get-OrganizationConfig",
        "Get-PartnerApplication",
        "Get-SettingOverride",
        "New-AuthServer",
        "Set-AuthConfig",
        "Set-AuthServer",
        "Set-PartnerApplication",
    }
)
"""Cmdlets with the parameter; a test compares them with allowlist.json."""

# .NET's names for a controller that is away, from Microsoft.Exchange.Data.Directory.
_AWAY = frozenset(
    {
        "ADServerSettingsChangedException",
        "ADTransientException",
        "DCOverloadedException",
        "NoSuitableServerFoundException",
        "ServerInMMException",
        "SuitabilityDirectoryException",
    }
)


class OneController:
    """Fills the port Exchange for one pass. Answers keep the place of the look as it was asked."""

    def __init__(self, exchange: Exchange) -> None:
        """No controller is known yet."""
        self._exchange = exchange
        self._controller = ""

    def run(
        self, server: str, batch: Sequence[Cmdlet], *, changes: bool = False
    ) -> tuple[Answer, ...]:
        """As the port says.

        Raises besides: Unreachable, or OutcomeUnknown for a change, where the controller of this
        pass is away. Another one might not know what this pass has changed.
        """
        controller = self._controller
        sent = [self.sent(command) for command in batch]
        answers = self._exchange.run(server, sent, changes=changes)
        self._controller = self._controller or originating_server(batch, answers)
        for command, answer in zip(sent, answers, strict=False):
            if is_away(command, answer):
                message = f"domain controller {controller} does not answer {server}"
                raise OutcomeUnknown(message) if changes else Unreachable(message)
        return answers

    def sent(self, command: Cmdlet) -> Cmdlet:
        """The cmdlet as it is sent; what was prepared so already stays as it is."""
        return pinned(command, self._controller)


def pinned(command: Cmdlet, controller: str) -> Cmdlet:
    """The cmdlet, sent to this controller where it can be."""
    prepared = any(name == PARAMETER for name, _ in command.parameters)
    if prepared or not controller or command.name not in TAKE_IT:
        return command
    return replace(command, parameters=(*command.parameters, (PARAMETER, controller)))


def originating_server(batch: Sequence[Cmdlet], answers: Sequence[Answer]) -> str:
    """The controller that answered Get-AuthConfig; "" where nobody said."""
    for command, answer in zip(batch, answers, strict=False):
        if command.name == "Get-AuthConfig" and len(answer.rows) == 1:
            return str(answer.rows[0].get("OriginatingServer") or "")
    return ""


def is_away(command: Cmdlet, answer: Answer) -> bool:
    """Whether the controller that the cmdlet was sent to is away."""
    is_sent_there = any(name == PARAMETER for name, _ in command.parameters)
    return is_sent_there and answer.error is not None and answer.error.kind in _AWAY
