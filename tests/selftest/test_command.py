"""The command line of the self-test."""

from __future__ import annotations

import pytest

from exchange_push_operator.command_line import parse

NEEDED = ("selftest", "--server", "ex1.corp.fabrikam.com", "--username", "CORP\\svc-push")


def test_a_port_is_taken_as_it_is_given() -> None:
    assert parse([*NEEDED, "--port", "65535"]).port == 65535


@pytest.mark.parametrize("port", ["0", "-1", "65536", "5986x", ""])
def test_what_is_no_port_ends_with_2_and_one_line(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse([*NEEDED, f"--port={port}"])
    assert caught.value.code == 2
    assert "is not a port, 1 to 65535" in capsys.readouterr().err
