"""A process that the lab starts meets the lab under real names, and nothing else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import wait
from lab.network.redirect import STARTUP, Redirect

pytestmark = pytest.mark.lab

LOOK_UP = "import socket, sys; print(socket.getaddrinfo(sys.argv[1], int(sys.argv[2]))[0][4])"


@pytest.fixture
def listener() -> Iterator[int]:
    """A port that greets whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        over = threading.Event()
        thread = threading.Thread(target=_greet, args=(server, over))
        thread.start()
        yield server.getsockname()[1]
        over.set()
        thread.join()


def _greet(server: socket.socket, over: threading.Event) -> None:
    while not over.is_set():
        try:
            connection, _ = server.accept()
        except TimeoutError:
            continue
        with connection:
            connection.sendall(b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1024):
                """What the client sends is read, so that closing does not reset."""


def run(redirect: Redirect, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **redirect.environment()}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def error(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode != 0
    return result.stderr.strip().splitlines()[-1]


def test_a_name_of_the_table_leads_to_a_port_of_this_machine(tmp_path: Path) -> None:
    redirect = Redirect(tmp_path)
    redirect.set("login.microsoftonline.com", 443, 18443)
    for name in (
        "login.microsoftonline.com",
        "Login.MicrosoftOnline.com",
        "login.microsoftonline.com.",
    ):
        assert run(redirect, LOOK_UP, name, "443").stdout.strip() == "('127.0.0.1', 18443)"


def test_a_name_that_a_switch_of_the_lab_hides_does_not_resolve_until_it_is_back(
    tmp_path: Path,
) -> None:
    redirect = Redirect(tmp_path)
    redirect.set("ex1.corp.fabrikam.com", 5986, 15986)
    hidden = tmp_path / "unresolvable.json"
    hidden.write_text('["ex1.corp.fabrikam.com"]')
    assert "gaierror" in error(run(redirect, LOOK_UP, "ex1.corp.fabrikam.com", "5986"))
    hidden.write_text("[]")
    assert run(redirect, LOOK_UP, "ex1.corp.fabrikam.com", "5986").stdout.strip()


def test_a_name_outside_of_the_table_does_not_resolve(tmp_path: Path) -> None:
    redirect = Redirect(tmp_path)
    assert "gaierror" in error(run(redirect, LOOK_UP, "example.org", "443"))
    for function in ("gethostbyname", "gethostbyname_ex"):
        code = f"import socket; socket.{function}('example.org')"
        assert "gaierror" in error(run(redirect, code))


def test_another_port_of_a_host_of_the_table_is_closed(tmp_path: Path) -> None:
    redirect = Redirect(tmp_path)
    redirect.set("ex1.corp.fabrikam.com", 5986, 18443)
    code = "import socket; socket.create_connection(('ex1.corp.fabrikam.com', 5985), 5)"
    assert "ConnectionRefusedError" in error(run(redirect, code))


def test_an_address_outside_of_this_machine_cannot_be_reached(tmp_path: Path) -> None:
    redirect = Redirect(tmp_path)
    code = "import socket; socket.create_connection(('203.0.113.7', 443), 5)"
    assert "outside of the lab" in error(run(redirect, code))


def test_loopback_is_left_alone(tmp_path: Path, listener: int) -> None:
    code = (
        "import socket, sys\n"
        "for host in ('127.0.0.1', 'localhost'):\n"
        "    with socket.create_connection((host, int(sys.argv[1])), 5) as c: print(c.recv(99))"
    )
    assert run(Redirect(tmp_path), code, str(listener)).stdout.count("hello") == 2


WAYS = {
    "create_connection": "socket.create_connection(where, 5).recv(99)",
    "connect by name": "(s := socket.socket()).connect(where) or s.recv(99)",
    "connect_ex by name": "(s := socket.socket()).connect_ex(where) or s.recv(99)",
    "asyncio": "asyncio.run(read())",
    "requests": "with_requests()",
    "aiohttp": "asyncio.run(with_aiohttp())",
}

PREAMBLE = """
import asyncio, socket, sys
where = (sys.argv[1], 5986)

async def read():
    reader, writer = await asyncio.open_connection(*where)
    text = await reader.read(99)
    writer.close()
    return text

def with_requests():
    import requests
    return requests.get("http://%s:%s" % where).text

async def with_aiohttp():
    import aiohttp
    async with aiohttp.ClientSession() as session:
        async with session.get("http://%s:%s" % where) as response:
            return await response.text()
"""


@pytest.mark.parametrize(
    "way", ["create_connection", "connect by name", "connect_ex by name", "asyncio"]
)
def test_every_way_to_connect_is_redirected(tmp_path: Path, listener: int, way: str) -> None:
    redirect = Redirect(tmp_path)
    redirect.set("ex1.corp.fabrikam.com", 5986, listener)
    code = f"{PREAMBLE}\nprint({WAYS[way]})"
    assert "hello" in run(redirect, code, "ex1.corp.fabrikam.com").stdout
    refused = run(redirect, code, "ex2.corp.fabrikam.com")
    assert refused.returncode != 0
    assert "not a host of the lab" in refused.stderr


def test_a_running_process_sees_a_change(tmp_path: Path) -> None:
    redirect = Redirect(tmp_path)
    redirect.set("ex1.corp.fabrikam.com", 5986, 1001)
    code = (
        "import socket, sys\n"
        "for line in sys.stdin:\n"
        "    try: print(socket.getaddrinfo('ex1.corp.fabrikam.com', 5986)[0][4], flush=True)\n"
        "    except socket.gaierror: print('gone', flush=True)\n"
    )
    environment = {**os.environ, **redirect.environment()}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert "1001" in _ask(child)
        redirect.set("ex1.corp.fabrikam.com", 5986, 1002)
        assert "1002" in _ask(child)
        redirect.remove("ex1.corp.fabrikam.com", 5986)
        assert "gone" in _ask(child)


def _ask(child: subprocess.Popen[str]) -> str:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("now\n")
    child.stdin.flush()
    return wait.until(child.stdout.readline, 10, "an answer of the child")


def test_another_sitecustomize_still_runs(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import sys; sys.seen = __name__\n")
    redirect = Redirect(tmp_path)
    base = {"PYTHONPATH": str(other)}
    environment = {**os.environ, **redirect.environment(base)}
    assert environment["PYTHONPATH"] == os.pathsep.join([str(STARTUP), str(other)])
    code = "import sys; print(sys.seen)"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "sitecustomize"


def test_without_a_table_nothing_is_changed() -> None:
    environment = {**os.environ, "PYTHONPATH": str(STARTUP)}
    environment.pop("LAB_REDIRECT_TABLE", None)
    code = "import socket; print(socket.getaddrinfo.__module__)"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "socket"
