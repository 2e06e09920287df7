"""The article's way and the operator's see the same; what each costs, counted."""

from __future__ import annotations

import pytest

from exchange_push_operator.adapters.host_script import bootstrap
from lab.exchange.article_way import ScriptProcess
from lab.exchange_bench import compare

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("servers", [1, 3])
def test_the_operator_needs_one_process_a_server_and_the_article_one_a_look(servers: int) -> None:
    article, cold, warm = compare(servers, {}).values()
    assert (cold.processes, cold.sessions) == (servers, servers)
    assert (warm.processes, warm.sessions) == (0, 0)
    assert warm.requests == 2 * servers
    assert article.processes >= 6 * cold.processes
    assert article.requests >= 5 * cold.requests
    assert article.requests >= 20 * warm.requests


@pytest.mark.parametrize("command", ["cmd.exe", "powershell -encodedcommand ZABpAHIA", ""])
def test_no_other_script_is_run(command: str) -> None:
    def start() -> None:
        pytest.fail("a process was started")

    process = ScriptProcess(command, bootstrap(), start)  # type: ignore[arg-type] # never called
    streams, exit_code = process.receive(5) or ({}, None)
    assert exit_code == 1
    assert b"only the bootstrap" in streams["stderr"]
