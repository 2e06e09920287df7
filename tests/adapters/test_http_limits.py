"""Answers that never end, names that are none, bytes that are no HTTP: nothing holds or escapes."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from inspect import signature
from pathlib import Path

import pytest

from exchange_push_operator.adapters.clock import steady
from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.http import Https, Reply
from exchange_push_operator.core.errors import (
    OutcomeUnknown,
    PushError,
    SpecError,
    Unreachable,
)
from lab.network.ca import PrivateCA

pytestmark = pytest.mark.lab

Answer = Callable[[], Iterable[bytes]]
HEAD = b"HTTP/1.1 200 OK\r\n"


class RawServer:
    """Sends bytes, whatever it is asked, one connection after another."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.answer: Answer = lambda: ()
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                with suppress(OSError), self._context.wrap_socket(plain, server_side=True) as tls:
                    tls.recv(65536)
                    for piece in self.answer():
                        tls.sendall(piece)


@pytest.fixture(name="ca")
def private_ca() -> PrivateCA:
    return PrivateCA()


@pytest.fixture(name="server")
def running(ca: PrivateCA, tmp_path: Path) -> Iterator[RawServer]:
    server = RawServer(ca.issue(["localhost"]).server_context(tmp_path))
    yield server
    server.close()


@pytest.fixture(name="https")
def hurried(ca: PrivateCA, tmp_path: Path) -> Iterator[Https]:
    https = Https(str(ca.write(tmp_path / "ca.crt")), timeouts=(3.0, 0.5), longest=0.8)
    yield https
    https.close()


def failure(call: Callable[[], Reply]) -> PushError:
    with pytest.raises(PushError) as failed:
        call()
    return failed.value


PACE = threading.Event()  # never set: waiting for it is how a slow server is slow


def dripping(*before: bytes) -> Iterator[bytes]:
    yield from before
    for _ in range(60):
        PACE.wait(0.1)
        yield b"x"


DRIPS: dict[str, Answer] = {
    "body": lambda: dripping(HEAD, b"content-length: 100000\r\n\r\n"),
    "chunks": lambda: dripping(HEAD, b"transfer-encoding: chunked\r\n\r\nfffff\r\n"),
    "header": lambda: dripping(HEAD, b"x: "),
    "status": lambda: dripping(b"HTTP/1.1 200 "),
}


@pytest.mark.parametrize("answer", DRIPS.values(), ids=DRIPS)
@pytest.mark.parametrize(
    ("changes", "expected"), [(False, Unreachable), (True, OutcomeUnknown)], ids=["look", "change"]
)
def test_an_answer_that_drips_is_not_waited_for(
    https: Https, server: RawServer, answer: Answer, expected: type[PushError], *, changes: bool
) -> None:
    server.answer = answer
    error = failure(lambda: https.call("PATCH", server.url, changes=changes))
    assert type(error) is expected
    assert "no answer in time" in str(error)


def test_the_limit_is_for_one_answer_not_for_all_on_a_connection(
    https: Https, server: RawServer
) -> None:
    server.answer = lambda: (HEAD + b"content-length: 2\r\n\r\n{}",)
    for _ in range(3):
        assert https.call("GET", server.url).text == "{}"
        PACE.wait(0.4)


def test_a_machine_that_sleeps_meanwhile_gains_no_time(
    ca: PrivateCA, server: RawServer, tmp_path: Path
) -> None:
    """A write that wakes up after the lease has run out must not go on."""
    clock = itertools.chain([0.0, 0.0], itertools.repeat(60.0))  # it is asked at the start, ...
    https = Https(str(ca.write(tmp_path / "ca.crt")), clock=lambda: next(clock))
    server.answer = lambda: (HEAD + b"content-length: 2\r\n\r\n{}",)
    error = failure(lambda: https.call("PATCH", server.url, changes=True))
    assert "no answer in time" in str(error)
    https.close()


@pytest.mark.parametrize("adapter", [Https, WinRMExchanges])
def test_the_clock_of_the_time_limits_is_that_of_the_lease(adapter: Callable[..., object]) -> None:
    assert signature(adapter).parameters["clock"].default is steady


@pytest.mark.parametrize(
    "host", ["a..b.invalid", "a" * 64 + ".invalid", "ex1.." + "b" * 70, "ä" * 64 + ".invalid"]
)
@pytest.mark.parametrize("changes", [False, True], ids=["look", "change"])
def test_what_is_no_name_of_a_host_is_a_mistake_of_the_resource(
    https: Https, host: str, *, changes: bool
) -> None:
    error = failure(lambda: https.call("PATCH", f"https://{host}/x", changes=changes))
    assert isinstance(error, SpecError)
    assert host in str(error)


ODD = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "two lengths": HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\nxx",
    "odd chunk": HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    "not gzip": HEAD + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\nxx",
    "many headers": HEAD + b"x: y\r\n" * 200 + b"\r\n",
    "long header": HEAD + b"x: " + b"y" * 70_000 + b"\r\n\r\n",
    "no answer": b"",
    "odd redirect": b"HTTP/1.1 302 X\r\nlocation: https://[bad\r\ncontent-length: 0\r\n\r\n",
    "garbled redirect": b"HTTP/1.1 302 X\r\nlocation: /\xff\xfe\r\ncontent-length: 0\r\n\r\n",
}


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
@pytest.mark.parametrize("changes", [False, True], ids=["look", "change"])
def test_bytes_that_are_no_answer_are_trouble_on_the_way(
    https: Https, server: RawServer, answer: bytes, *, changes: bool
) -> None:
    server.answer = lambda: (answer,)
    error = failure(lambda: https.call("PATCH", server.url, changes=changes))
    assert type(error) in ((Unreachable, OutcomeUnknown) if changes else (Unreachable,))


def test_the_body_of_a_redirect_is_limited_as_any_other(https: Https, server: RawServer) -> None:
    length = 9 * 1024 * 1024
    head = f"HTTP/1.1 302 X\r\nlocation: /\r\ncontent-length: {length}\r\n\r\n".encode()
    server.answer = lambda: (head, b" " * length)
    assert "not follow" not in str(failure(lambda: https.call("GET", server.url)))


def test_json_that_is_nested_too_deep_is_none() -> None:
    assert Reply(200, {}, '{"a":' + "[" * 100_000).json_object() is None


def test_a_date_beyond_the_calendar_asks_for_no_pause() -> None:
    headers = {
        "Date": "Sat, 21 Nov 2026 09:00:00 GMT",
        "Retry-After": "Fri, 31 Dec 9999 23:59:59 -2359",
    }
    assert Reply(429, headers, "").retry_after() is None
