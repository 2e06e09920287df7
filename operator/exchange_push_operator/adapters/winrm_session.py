"""One shell with one host process on one server. Repairs its connection; knows no second try."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from winrm.exceptions import WinRMOperationTimeoutError, WinRMTransportError

from exchange_push_operator.adapters.host_script import HASH_MISMATCH
from exchange_push_operator.adapters.powershell_host import Message, decode
from exchange_push_operator.adapters.winrm_transport import Wire
from exchange_push_operator.adapters.winrm_trouble import (
    EXIT_HASH,
    HTTP_STALE,
    TROUBLE,
    Gone,
    Odd,
    Overdue,
    is_busy,
)
from exchange_push_operator.core.errors import PushError

log = logging.getLogger("exchange_push_operator.exchange")

# http.sys closes a connection after two idle minutes; the encrypted message that follows is
# answered 400, and so is every later one (knowledge of evil-winrm-py #3 and pywinrm #377).
_STALE = 90.0
_CHUNK = 96 * 1024  # fits MaxEnvelopeSizekb 150 of WinRM 2.0 after base64
_BUSY_TRIES = 5
_LONGEST_COMPLAINT = 8192
_CODEPAGE = 65001
# Seconds. An operator that is killed leaves the shell behind; this is when Windows removes it.
SHELL_LIFE = 1800


def _always() -> None:
    """A look may be sent at any time."""


class Session:
    """The WinRS calls of one process, for one thread: the encryption numbers the messages."""

    def __init__(
        self,
        wire: Wire,
        count: Callable[[str], None],
        clock: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        """Nothing is sent yet."""
        self._wire = wire
        self._tally = count
        self._clock = clock
        self._pause = pause
        self._used = clock()
        self._shell = ""
        self._command = ""
        self._unread = b""
        self._complaint = b""
        self._messages: deque[Message] = deque()
        self._exit_code: int | None = None
        self._ready = False
        self._is_open = False
        self.boot = ""

    def knock(self) -> None:
        """See whether anybody listens there, without a word."""
        self._wire.transport.knock()

    def create(self) -> None:
        """Sign in and create the shell."""
        # The shell and not more: a resource that is turned down costs the server no process.
        self._shell = self._post(
            self._wire.open_shell, codepage=_CODEPAGE, idle_timeout=f"PT{SHELL_LIFE}S"
        )

    def start(self, command_line: str) -> None:
        """Start the process."""
        self._command = self._post(
            self._wire.run_command, self._shell, command_line, console_mode_stdin=False
        )

    def send(self, text: bytes, may_leave: Callable[[], None] = _always) -> None:
        """Send to the process's standard input, in pieces that fit.

        ``may_leave`` is asked right before each try, and raises where nothing may leave any more.
        """
        tries = _BUSY_TRIES if len(text) <= _CHUNK else 1
        for start in range(0, len(text), _CHUNK):
            self._send(text[start : start + _CHUNK], may_leave, tries=tries)

    def receive(self, wanted: Callable[[Message], bool], deadline: float) -> Message:
        """Read lines until a wanted one comes.

        Raises: Gone, Overdue, and whatever pywinrm raises.
        """
        while True:
            while self._messages:
                message = self._messages.popleft()
                if wanted(message):
                    return message
            if self._clock() >= deadline:
                raise Overdue
            # None within the operation timeout only says: it still runs.
            with suppress(WinRMOperationTimeoutError):
                self._read()
                self._split()

    def reset(self) -> None:
        """Forget the connection, not the process: shell and command ids outlive it."""
        self._tally("resets")
        self._wire.transport.close_session()
        self._used, self._is_open = self._clock(), False

    def open(self) -> None:
        """Have a connection that is signed in, so that what is sent next leaves at once.

        A new one takes as long as the network likes. The line in front of it is empty.
        """
        if self._clock() - self._used > _STALE:
            self.reset()
        if not self._is_open:
            self.send(b"\n")

    def end(self) -> None:
        """End the process as it wishes: it closes its Exchange session when its input ends."""
        if self._command:
            with suppress(*TROUBLE):
                self._post(self._wire.send_command_input, self._shell, self._command, b"", end=True)
                self._post(self._wire.get_command_output_raw, self._shell, self._command)
        self.delete()

    def delete(self) -> None:
        """Delete the shell, which ends the process; best effort, IdleTimeout does it otherwise."""
        if self._shell:
            self.remove(self._shell)
        self.abandon()

    def remove(self, shell: str) -> None:
        """Delete a shell, of this session or of an earlier one; best effort."""
        with suppress(*TROUBLE):
            self._post(self._wire.close_shell, shell)

    def abandon(self) -> list[str]:
        """Close the connection without a further word; the shell that stays behind."""
        left = [self._shell] if self._shell else []
        self._shell = self._command = ""
        self._wire.transport.close_session()
        return left

    def _send(self, piece: bytes, may_leave: Callable[[], None], *, tries: int) -> None:
        # A busy Send may have been delivered: the whole line may come twice (ids protect), a
        # piece of a line may not.
        for _ in range(tries - 1):
            may_leave()
            try:
                return self._send_once(piece, may_leave, whole=tries > 1)
            except TROUBLE as error:
                if not is_busy(error):
                    raise
            self._pause(1.0)
        may_leave()
        return self._send_once(piece, may_leave, whole=tries > 1)

    def _send_once(self, piece: bytes, may_leave: Callable[[], None], *, whole: bool) -> None:
        def once_more() -> None:
            if whole and may_leave is not _always:
                self.open()  # signing in may take longer than there is time
            may_leave()

        verb = self._wire.send_command_input
        self._post(verb, self._shell, self._command, piece, end=False, once_more=once_more)

    def _read(self) -> None:
        if self._exit_code is not None:
            raise Gone(self._exit_code, ready=self._ready, complaint=self._complaint)
        out, err, exit_code, done = self._post(
            self._wire.get_command_output_raw, self._shell, self._command
        )
        self._unread += out
        if err:
            log.debug("standard error of the host: %s", err[:2000].decode("utf-8", "replace"))
            self._complaint = (self._complaint + err)[-_LONGEST_COMPLAINT:]
        if done:
            self._exit_code = exit_code

    def _split(self) -> None:
        # Receive cuts anywhere, so a line is decoded only once it has come to its end.
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            if line.strip() == HASH_MISMATCH:
                raise Gone(EXIT_HASH)
            message = decode(line)
            if message is not None:
                self._ready |= "ready" in message
                self._messages.append(message)

    def _post(
        self,
        verb: Callable[..., Any],
        *arguments: Any,
        once_more: Callable[[], None] = _always,
        **options: Any,
    ) -> Any:
        if self._clock() - self._used > _STALE:
            self.reset()
        try:
            return self._count(verb, *arguments, **options)
        except WinRMTransportError as error:
            if error.code != HTTP_STALE:
                raise
            # Not decrypted, hence not carried out: repeating is safe, once.
            self.reset()
            once_more()
            return self._count(verb, *arguments, **options)

    def _count(self, verb: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        self._tally("requests")
        try:
            answer = verb(*arguments, **options)
        except (*TROUBLE, PushError):
            raise
        except Exception as error:
            raise Odd from error
        finally:
            self._used = self._clock()
        self._is_open = True
        return answer
