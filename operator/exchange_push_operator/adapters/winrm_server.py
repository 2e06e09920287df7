"""One server: its process is kept warm, and replaced on any doubt. The table of recoveries.

=========================================  ====================================================
seen                                       done
=========================================  ====================================================
connection idle for 90 s, HTTP 400         a new connection to the same process (winrm_session)
busy Send (170, 1460, operation timeout)   the same Send again, up to five times (winrm_session)
connection cut, answer lost                new connection, same request with the same id: the
                                           host answers from its cache and runs nothing twice
process, shell or Exchange session gone    looks: a new process, once
answer overdue, cmdlet stuck, 401, quota   the process is dropped, nothing is tried again
=========================================  ====================================================

A change that was sent and has no answer is ``OutcomeUnknown`` in every case.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from requests.exceptions import RequestException
from winrm.exceptions import InvalidCredentialsError

from exchange_push_operator.adapters.exchange_session import is_broken
from exchange_push_operator.adapters.foreign_text import short
from exchange_push_operator.adapters.host_script import bootstrap
from exchange_push_operator.adapters.powershell_host import (
    Message,
    answers,
    encode_login,
    encode_run,
    patience,
)
from exchange_push_operator.adapters.winrm_greeting import greet
from exchange_push_operator.adapters.winrm_session import Session
from exchange_push_operator.adapters.winrm_sign_in import SignIn
from exchange_push_operator.adapters.winrm_transport import Wire
from exchange_push_operator.adapters.winrm_trouble import (
    TROUBLE,
    Gone,
    can_resend,
    can_restart,
    was_not_sent,
)
from exchange_push_operator.adapters.winrm_words import Place, explain, what_next
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import OutcomeUnknown, PushError, Refused, Unreachable
from exchange_push_operator.core.ports import Answer, ExchangeAccess

log = logging.getLogger("exchange_push_operator.exchange")

_RESEND_AFTER = (0.5, 1.0, 2.0, 4.0)  # seconds before the same request is sent once more
_LARGEST_AGE = 3600.0
_MOST_REQUESTS = 200  # of one process: bounds what it may grow to


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every server needs from the pool."""

    open_wire: Callable[[], Wire]
    count: Callable[[str], None]
    clock: Callable[[], float]
    pause: Callable[[float], None]


@dataclass(slots=True)
class _Request:
    batch: Sequence[Cmdlet]
    changes: bool
    identifier: str
    line: bytes
    sent: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it may have changed something."""
        return self.changes and self.sent


class Server:
    """A server as one account sees it. Its caller holds ``lock`` around every call."""

    def __init__(
        self, name: str, access: ExchangeAccess, sign_in: SignIn, surroundings: Surroundings
    ) -> None:
        """Nothing is sent yet."""
        self.lock = threading.Lock()
        self.retired = False
        self.used = surroundings.clock()
        self._place = Place.of(name, access)
        self._access = access
        self._sign_in = sign_in
        self._around = surroundings
        self._session: Session | None = None
        self._started = 0.0
        self._requests = 0

    def call(self, batch: Sequence[Cmdlet], *, changes: bool) -> tuple[Answer, ...]:
        """Run cmdlets. Raises what the port ``Exchange`` raises."""
        identifier = uuid.uuid4().hex
        request = _Request(
            batch, changes, identifier, encode_run(identifier, batch, stop_on_error=changes)
        )
        if self._is_worn():
            self._end()
        try:
            return self._call(request)
        except TROUBLE as error:
            raise self._give_up(error, request) from error
        except PushError:
            self._drop()
            raise
        finally:
            self.used = self._around.clock()

    def retire(self) -> None:
        """End the process; this object is not used again."""
        self.retired = True
        self._end()

    def _call(self, request: _Request) -> tuple[Answer, ...]:
        try:
            return self._attempt(request)
        except TROUBLE as error:
            if request.is_open or not can_restart(error):
                raise
            log.info("%s; starting a new process there", explain(error, self._place))
            self._drop()
        return self._attempt(request)

    def _attempt(self, request: _Request) -> tuple[Answer, ...]:
        session, is_sent = self._session, False
        if session is None:
            session, is_sent = self._start(request), not request.changes
        self._requests += 1
        deadline = self._around.clock() + patience(request.batch)
        pauses = iter(_RESEND_AFTER)
        while True:
            try:
                if not is_sent:
                    self._send(session, request)
                message = session.receive(
                    lambda message: message.get("id") == request.identifier, deadline
                )
                return self._read(message, session, request)
            except TROUBLE as error:
                pause = next(pauses, None)
                if pause is None or not can_resend(error) or self._around.clock() >= deadline:
                    raise
                log.debug("%s: %s; sending again", self._place.server, type(error).__name__)
            session.reset()
            self._around.count("resends")
            self._around.pause(pause)
            is_sent = False

    def _send(self, session: Session, request: _Request) -> None:
        before, request.sent = request.sent, True
        try:
            session.send(request.line)
        except TROUBLE as error:
            request.sent = before or not was_not_sent(error)
            raise

    def _start(self, request: _Request) -> Session:
        around = self._around
        session = Session(around.open_wire(), around.count, around.clock, around.pause)
        self._session, self._started, self._requests = session, around.clock(), 0
        with self._sign_in.attempt(self._place.server):
            session.create()
        around.count("starts")
        script = bootstrap(installed=self._access.host_installed)
        session.start(script.command_line)
        try:
            greet(session, script, self._login(request), self._place.server, around.clock())
        except TROUBLE as error:
            if can_resend(error):
                raise Gone(ready=False) from error
            raise
        return session

    def _login(self, request: _Request) -> bytes:
        access = self._access
        login = encode_login(uuid.uuid4().hex, self._place.server, access.username, access.password)
        # Looks ride along. A change waits until the host is known to be the right one, so that a
        # start that fails is never a change whose outcome is unknown.
        return login if request.changes else login + request.line

    def _read(self, message: Message, session: Session, request: _Request) -> tuple[Answer, ...]:
        if message.get("boot") != session.boot or "fatal" in message:
            why = short(str(message.get("fatal") or "another process"))
            raise Gone(text=f"the host script does not answer as it should ({why})")
        try:
            found = answers(message)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Gone(text="the host's answer has another form") from error
        if message.get("stuck"):
            raise self._stuck(request, found)
        if any(map(is_broken, found)):
            raise Gone(text="the Exchange session broke")
        if len(found) != len(request.batch) and not request.changes:
            raise Gone(text="the host's answer is not complete")
        return found

    def _stuck(self, request: _Request, found: tuple[Answer, ...]) -> PushError:
        name = request.batch[max(0, len(found) - 1)].name
        if request.changes:
            return OutcomeUnknown(f"{self._place.server}: {name} did not end in time")
        return Unreachable(f"{self._place.server}: {name} does not end; check the server's load")

    def _give_up(self, error: BaseException, request: _Request) -> PushError:
        explained = explain(error, self._place)
        log.debug("%s: %s: %s", self._place.server, type(error).__name__, error)
        if isinstance(error, InvalidCredentialsError) and isinstance(explained, Refused):
            self._sign_in.refused(self._place.server, explained)
        self._drop(silently=_is_cut_off(error))
        if request.is_open:
            names = ", ".join(command.name for command in request.batch)
            unknown = OutcomeUnknown(f"{self._place.server}: the answer to {names} was lost")
            log.info("%s (%s); looking before anything is repeated", unknown, explained)
            return unknown
        log.info("%s%s", explained, what_next(explained))
        return explained

    def _is_worn(self) -> bool:
        age = self._around.clock() - self._started
        return age > _LARGEST_AGE or self._requests >= _MOST_REQUESTS

    def _drop(self, *, silently: bool = False) -> None:
        session, self._session = self._session, None
        if session is not None:
            if silently:
                session.abandon()
            else:
                session.delete()

    def _end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.end()


def _is_cut_off(error: BaseException) -> bool:
    # A Delete would only wait, or be one more bad sign-in.
    cut_off = InvalidCredentialsError | RequestException
    return isinstance(error, cut_off) or isinstance(error.__cause__, cut_off)
