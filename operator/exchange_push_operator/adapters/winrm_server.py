"""One server: its process is kept warm, and replaced on any doubt. The table of recoveries.

==================================  ===========================================================
seen                                done
==================================  ===========================================================
connection idle for 90 s            a new connection before it is used (winrm_session)
HTTP 400                            a new connection and the same call, once (winrm_session)
operation timeout on Receive        it still runs: read on until the deadline (winrm_session)
connection cut, answer lost, 5xx    a pause, a new connection, the same request with the same id:
                                    the host answers from its cache and runs nothing twice
Send is busy: 170, 1460, timeout    the same Send again, up to five times (winrm_session)
process, shell or session gone      dropped; a look gets a new process, once
answer overdue, cmdlet stuck        dropped
operation timeout on Create         dropped: a second process would be one more load
401                                 dropped without a word, not tried again (winrm_sign_in)
quota                               dropped, Throttled for minutes
a line that arrived torn            ended by the newline in front of the next (powershell_host)
==================================  ===========================================================

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

from exchange_push_operator.adapters.host_script import bootstrap
from exchange_push_operator.adapters.powershell_host import encode_login, patience
from exchange_push_operator.adapters.winrm_greeting import greet
from exchange_push_operator.adapters.winrm_request import Request
from exchange_push_operator.adapters.winrm_session import SHELL_LIFE, Session
from exchange_push_operator.adapters.winrm_sign_in import SignIn
from exchange_push_operator.adapters.winrm_transport import Wire
from exchange_push_operator.adapters.winrm_trouble import (
    TROUBLE,
    Gone,
    NoTicket,
    can_resend,
    can_restart,
    was_not_sent,
)
from exchange_push_operator.adapters.winrm_words import Place, explain, what_next
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import PushError, Refused
from exchange_push_operator.core.ports import Answer, ExchangeAccess, Fence, no_fence

log = logging.getLogger("exchange_push_operator.exchange")

_RESEND_AFTER = (0.5, 1.0, 2.0, 4.0)  # seconds before the same request is sent once more
_IDLE = 60.0  # seconds after which no PowerShell of ours stands on a server any longer
_LARGEST_AGE = 3600.0
_MOST_REQUESTS = 200  # of one process: bounds what it may grow to


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every server needs from the pool."""

    open_wire: Callable[[], Wire]
    count: Callable[[str], None]
    clock: Callable[[], float]
    pause: Callable[[float], None]
    fence: Fence = no_fence


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
        self._left_behind: list[str] = []  # shells on a server that could not be told to end them

    def call(self, batch: Sequence[Cmdlet], *, changes: bool, wanted: Fence) -> tuple[Answer, ...]:
        """Run cmdlets. Raises what the port ``Exchange`` raises."""
        request = Request.of(batch, changes=changes, wanted=wanted)
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

    @property
    def idle_limit(self) -> float:
        """Seconds without use after which nothing is left to be done here."""
        return SHELL_LIFE if self._left_behind else _IDLE

    def retire(self) -> None:
        """End the process and what was left behind; this object is not used again."""
        self.retired = True
        self._end()
        if self._left_behind and self._around.clock() - self.used < SHELL_LIFE:
            self._tidy(self._new_session())

    def _call(self, request: Request) -> tuple[Answer, ...]:
        try:
            return self._attempt(request)
        except TROUBLE as error:
            if request.is_open or not can_restart(error):
                raise
            log.info("%s; starting a new process there", explain(error, self._place))
            self._drop()
        return self._attempt(request)

    def _attempt(self, request: Request) -> tuple[Answer, ...]:
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
                return request.believe(message, session.boot, self._place.server)
            except TROUBLE as error:
                pause = next(pauses, None)
                if pause is None or not can_resend(error) or self._around.clock() >= deadline:
                    raise
                log.debug("%s: %s; sending again", self._place.server, type(error).__name__)
            session.reset()
            self._around.count("resends")
            self._around.pause(pause)
            is_sent = False

    def _send(self, session: Session, request: Request) -> None:
        before = request.sent

        def may_leave() -> None:
            nonlocal before
            request.pass_the_fence(self._around.fence, self._place.server)
            before, request.sent = request.sent, True

        if request.changes:
            session.open()
        try:
            session.send(request.line, may_leave)
        except TROUBLE as error:
            request.sent = before or not was_not_sent(error)
            raise

    def _start(self, request: Request) -> Session:
        around = self._around
        session = self._new_session()
        self._session, self._started, self._requests = session, around.clock(), 0
        with self._sign_in.attempt(self._place.server, session.knock):
            try:
                session.create()
            except InvalidCredentialsError as error:
                self._turned_down(error)  # before the next server is let through
                raise
        around.count("starts")
        self._tidy(session)
        script = bootstrap(installed=self._access.host_installed)
        session.start(script.command_line)
        try:
            greet(session, script, self._login(request), self._place.server, around.clock())
        except TROUBLE as error:
            if can_resend(error):
                raise Gone(ready=False) from error
            raise
        return session

    def _new_session(self) -> Session:
        around = self._around
        return Session(around.open_wire(), around.count, around.clock, around.pause)

    def _tidy(self, session: Session) -> None:
        # A connection that fails again and again must not use the quota of shells up.
        shells, self._left_behind = self._left_behind, []
        for shell in shells:
            session.remove(shell)

    def _login(self, request: Request) -> bytes:
        access, server = self._access, self._place.server
        login = encode_login(
            uuid.uuid4().hex, server, access.username, access.password, read_only=access.read_only
        )
        # Looks ride along. A change waits until the host is known to be the right one, so that a
        # start that fails is never a change whose outcome is unknown.
        return login if request.changes else login + request.line

    def _give_up(self, error: BaseException, request: Request) -> PushError:
        explained = explain(error, self._place)
        log.debug("%s: %s: %s", self._place.server, type(error).__name__, error)
        if isinstance(error, InvalidCredentialsError) and isinstance(explained, Refused):
            explained = self._sign_in.refused(self._place.server, explained)
        self._drop(error)
        if request.is_open:
            unknown = request.answer_lost(self._place.server)
            log.info("%s (%s); looking before anything is repeated", unknown, explained)
            return unknown
        log.info("%s%s", explained, what_next(explained))
        return explained

    def _turned_down(self, error: InvalidCredentialsError) -> None:
        explained = explain(error, self._place)
        if isinstance(explained, Refused):
            self._sign_in.refused(self._place.server, explained)

    def _is_worn(self) -> bool:
        age = self._around.clock() - self._started
        return age > _LARGEST_AGE or self._requests >= _MOST_REQUESTS

    def _drop(self, error: BaseException | None = None) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        cause = error.__cause__ if isinstance(error, Gone) else error
        if isinstance(error, InvalidCredentialsError | NoTicket):
            session.abandon()  # a Delete would be one more bad sign-in
        elif isinstance(cause, RequestException):
            self._left_behind += session.abandon()  # a Delete would only wait
        else:
            session.delete()

    def _end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.end()
