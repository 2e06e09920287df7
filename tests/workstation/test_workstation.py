"""What people meet at every command: passwords, colours, names, and the end of it."""

from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exchange_push_operator.command_line import parse
from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.kubectl import command as plugin
from exchange_push_operator.settings import in_colour
from exchange_push_operator.workstation.exchange import password
from lab.wait import until

CHILD = """
import signal, sys
from exchange_push_operator.workstation.asking import ask_at_terminal
from exchange_push_operator.workstation.ending import ended

def asks():
    print(len(ask_at_terminal("Password: ")))
    return 0

def waits():
    print("waiting", flush=True)
    signal.pause()
    return 0

def tells():
    print("line\\n" * 100_000)
    return 0

sys.exit(ended("command", {"asks": asks, "waits": waits, "tells": tells}[sys.argv[1]]))
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def child(act: str, **how: object) -> subprocess.Popen[str]:
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]  # flags of any kind
        [sys.executable, "-c", CHILD, act],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # no terminal, wherever the tests run
        **how,
    )


@pytest.mark.lab
def test_without_a_terminal_no_password_is_asked_for() -> None:
    with child("asks", stdin=subprocess.DEVNULL) as asked:
        out, err = asked.communicate(timeout=30)
    assert out == ""
    assert "SpecError: there is no terminal to ask for the password at; give --password-file" in err


@pytest.mark.lab
def test_ctrl_c_is_130_and_one_line() -> None:
    with child("waits") as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "waiting\n"
        waiting.send_signal(signal.SIGINT)
        _, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, err) == (130, "\ncommand: interrupted\n")


@pytest.mark.lab
def test_a_reader_that_has_seen_enough_ends_it_without_a_word() -> None:
    with child("tells") as telling:
        assert telling.stdout is not None
        assert telling.stdout.readline() == "line\n"
        telling.stdout.close()
        assert telling.stderr is not None
        assert telling.stderr.read() == ""
    assert telling.returncode == 141


@pytest.mark.lab
def test_what_is_typed_at_a_terminal_is_not_shown() -> None:
    ours, theirs = pty.openpty()
    with child("asks", stdin=theirs, preexec_fn=_controlling(theirs)) as asked:
        os.close(theirs)
        shown = b""

        def prompted() -> bool:
            nonlocal shown
            shown += os.read(ours, 1000)
            return b"Password: " in shown

        until(prompted, 20, "the prompt")
        os.write(ours, b"typed\n")
        assert asked.stdout is not None
        assert asked.stdout.read() == "5\n"
    os.close(ours)
    assert b"typed" not in shown


def _controlling(terminal: int) -> object:
    """What makes a terminal the one of a new session: being opened in it."""
    return lambda: os.close(os.open(os.ttyname(terminal), os.O_RDWR))


def test_an_empty_password_is_not_tried(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("\n")
    needed = ["assess", "--server=ex1.corp.fabrikam.com", "--username=a"]
    with pytest.raises(SpecError, match=f"--password-file {file}: is empty"):
        password(parse([*needed, f"--password-file={file}"]), str)
    with pytest.raises(SpecError, match="the password: is empty"):
        password(parse(needed), lambda _: "")


def test_colour_is_for_terminals_and_for_who_wants_it() -> None:
    assert in_colour(Terminal(), {})
    assert not in_colour(io.StringIO(), {})
    assert not in_colour(Terminal(), {"NO_COLOR": "1"})
    assert not in_colour(Terminal(), {"TERM": "dumb"})
    assert in_colour(Terminal(), {"NO_COLOR": ""})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--password", "canary"), "--password: a password is no argument"),
        (("--password=canary",), "--password: a password is no argument"),
        (("--colour=canary",), "--colour: there is no such flag; 'exchange-push-operator assess "),
        (("canary",), "there is a word too much"),
    ],
)
def test_what_is_unknown_is_told_without_its_value(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(["assess", "--server=ex1.corp.fabrikam.com", "--username=a", *words])
    err = capsys.readouterr().err
    assert told in err
    assert "canary" not in err


@pytest.mark.parametrize("words", [("",), ("a/b",), ("x", "-n", "Not A Name")])
def test_a_name_that_cannot_be_is_told_before_anything_is_asked(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        plugin.main(["status", *words])
    assert caught.value.code == 1
    assert "name" in capsys.readouterr().err
