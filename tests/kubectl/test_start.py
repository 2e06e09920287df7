"""What a command does not need it does not import: people wait for it at every call."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from exchange_push_operator.assess import report as assess_report
from exchange_push_operator.plan import command as plan
from exchange_push_operator.plan import flags as plan_flags
from exchange_push_operator.selftest import report as selftest_report
from exchange_push_operator.workstation import flags as workstation_flags
from lab.resources import ROOT

HEAVY = {"aiohttp", "cryptography", "gssapi", "kopf", "msal", "winrm"}
CHILD = """
import contextlib, io, sys
from exchange_push_operator.{module} import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    try:
        main(sys.argv[1:])
    except SystemExit:
        pass
print(" ".join({{name.partition(".")[0] for name in sys.modules}}))
"""
NOWHERE = """
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""


def imported(module: str, *words: str) -> set[str]:
    """The packages of a process after one command."""
    child = [sys.executable, "-c", CHILD.format(module=module), *words]
    return set(subprocess.check_output(child, text=True, cwd=ROOT).split())


@pytest.mark.lab
@pytest.mark.parametrize("command", ["status", "events", "suspend", "resume", "reconcile"])
def test_what_asks_the_api_server_alone_imports_its_client_alone(
    command: str, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(NOWHERE)
    words = (command, "fabrikam", f"--kubeconfig={kubeconfig}")
    found = imported("kubectl.command", *words)
    assert found & (HEAVY | {"kubernetes"}) == {"kubernetes"}


@pytest.mark.lab
@pytest.mark.parametrize("words", [("--help",), ("assess", "--help"), ("host-script",)])
def test_help_and_the_host_script_import_no_client_at_all(words: tuple[str, ...]) -> None:
    assert imported("__main__", *words) & (HEAVY | {"kubernetes", "requests", "yaml"}) == set()


def test_every_form_that_a_flag_offers_can_be_printed() -> None:
    assert tuple(plan.FORMS) == plan_flags.FORMS
    assert tuple(assess_report.FORMS) == workstation_flags.FORMS
    assert tuple(selftest_report.FORMS) == workstation_flags.FORMS
