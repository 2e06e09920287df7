"""The self-test, against the lab's WinRM: what an administrator would see of a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange_push_operator.adapters.winrm_transport import Wire, open_wire
from exchange_push_operator.core.ports import ExchangeAccess, Sensitive
from exchange_push_operator.selftest.interview import Interview, Plan
from exchange_push_operator.selftest.recorder import Recorder
from exchange_push_operator.selftest.report import Report, as_json, as_markdown, as_text, judged
from lab.exchange.accounts import Accounts
from lab.exchange.build import default_organization
from lab.exchange.dump import dump
from lab.exchange.faults import set_fault
from lab.exchange.organization import ACCOUNT
from lab.exchange.shells import WinRMService
from lab.exchange.winrm import WinRMServer

pytestmark = pytest.mark.lab

EX1 = "ex1.corp.fabrikam.com"
PASSWORD = "canary-5f3a-Grün"


class Site:
    """One server of the lab, and what the self-test says of it."""

    def __init__(self, server: WinRMServer, service: WinRMService) -> None:
        self.server = server
        self.service = service
        self.organization = service.organization

    def report(
        self,
        *,
        probe: bool = False,
        idle: bool = False,
        password: str = PASSWORD,
        installed: bool = False,
    ) -> Report:
        secret = Sensitive.of(password)
        access = ExchangeAccess(
            "NTLM", "HTTP", self.server.port, ACCOUNT, secret, None, "", host_installed=installed
        )
        plan = Plan(EX1, access, probe=probe, idle=idle)
        interview = Interview(plan, Recorder(factory=_on_this_machine), pause=self._idle)
        return judged(interview.hold(), "1.2.3")

    def _idle(self, _seconds: float) -> None:
        self.server.hang_up()  # what http.sys does meanwhile

    def fault(self, name: str, value: object) -> None:
        set_fault(self.organization, name, value)


def _on_this_machine(_server: str, access: ExchangeAccess, ca_path: str, tickets: object) -> Wire:
    assert tickets is None  # NTLM
    return open_wire("localhost", access, ca_path, None)


@pytest.fixture
def site() -> Iterator[Site]:
    accounts = Accounts({ACCOUNT: PASSWORD})
    service = WinRMService(default_organization(), EX1, accounts)
    with WinRMServer(service, "http") as server:
        yield Site(server, service)
    accounts.close()


def answers(report: Report) -> dict[str, tuple[str, str]]:
    return {question.name: (found.verdict.value, found.text) for question, found in report.rows}


def test_a_healthy_server_is_as_expected_and_nothing_is_changed(site: Site) -> None:
    before = dump(site.organization)
    report = site.report()
    found = answers(report)
    surprises = {name: row for name, row in found.items() if row[0] in ("differs", "broken")}
    assert surprises == {}
    assert report.exit_code == 0
    assert dump(site.organization) == before
    assert site.organization.changes == []


def test_no_shell_is_left_behind(site: Site) -> None:
    site.report(probe=True)
    assert site.service.open_shells == 0


def test_the_codes_of_winrm_are_heard_from_a_process_and_a_shell_of_its_own(site: Site) -> None:
    found = answers(site.report())
    assert found["dead-process"] == ("as expected", "fault 232")
    assert found["gone-shell"] == ("as expected", "fault 2150858843")


def test_a_site_that_allows_signed_scripts_alone_is_asked_through_the_installed_one(
    site: Site,
) -> None:
    assert answers(site.report(installed=True))["host-starts"][0] == "broken"  # there is no file
    site.fault("host_script", "installed")
    found = answers(site.report(installed=True))
    assert {row[0] for row in found.values()} == {"as expected", "open"}
    assert found["dead-process"] == ("as expected", "fault 232")


def test_quotas_are_read_from_the_configuration_of_winrm(site: Site) -> None:
    assert "MaxMemoryPerShellMB 1024" in answers(site.report())["quotas"][1]
    site.service.settings = {"MaxMemoryPerShellMB": "150"}
    verdict, text = answers(site.report())["quotas"]
    assert (verdict, text) == ("differs", "too low: MaxMemoryPerShellMB 150 (at least 512)")


def test_a_wrong_password_is_tried_once_and_is_told(site: Site) -> None:
    report = site.report(password="wrong")
    assert report.exit_code == 1
    verdict, text = answers(report)["host-starts"]
    assert verdict == "broken"
    assert "wrong" not in text.replace("is wrong", "")
    # a negotiation and an answer to the challenge
    assert site.service.counters["auth"] == 2
    assert {row[0] for name, row in answers(report).items() if name != "host-starts"} == {"open"}


def test_a_refused_second_hop_is_told_with_its_cure(site: Site) -> None:
    site.fault("second_hop_refused", value=True)
    report = site.report()
    verdict, text = answers(report)["second-hop"]
    assert verdict == "broken"
    assert "RemotePowerShellEnabled" in text
    assert answers(report)["host-starts"][0] == "as expected"


def test_a_cmdlet_that_rbac_does_not_grant_is_named(site: Site) -> None:
    site.fault("denied_cmdlets", ["Get-AuthServer"])
    verdict, text = answers(site.report())["looks"]
    assert verdict == "broken"
    assert "Get-AuthServer" in text


def test_a_look_at_the_proxy_that_shows_nothing_differs(site: Site) -> None:
    site.fault("proxy_look", "nothing")
    assert answers(site.report())["proxy-look"][0] == "differs"


def test_the_probe_is_invoked_only_when_asked_for(site: Site) -> None:
    assert answers(site.report())["probe-runs"] == ("open", "not tried; add --probe")
    verdict, text = answers(site.report(probe=True))["probe-runs"]
    assert verdict == "differs"  # the proxy of a fresh organization is off
    assert "proxy" in text


def test_three_idle_minutes_show_whether_the_connection_heals(site: Site) -> None:
    verdict, text = answers(site.report(idle=True))["idle"]
    assert verdict == "as expected"
    assert "the process was still there" in text


def test_a_server_out_of_reach_ends_in_one_broken_answer(site: Site) -> None:
    site.fault("down", value=True)
    report = site.report()
    assert report.exit_code == 1
    broken = [name for name, row in answers(report).items() if row[0] == "broken"]
    assert broken == ["host-starts"]


@pytest.mark.parametrize("form", [as_text, as_markdown, as_json])
def test_every_form_holds_every_question_and_no_secret(site: Site, form: object) -> None:
    assert callable(form)
    report = site.report()
    text = form(report)
    assert PASSWORD not in text
    assert all(question.name in text for question, _ in report.rows)


def test_the_json_form_is_stable_for_programs(site: Site) -> None:
    document = json.loads(as_json(site.report()))
    assert document["server"] == EX1
    assert set(document["answers"][0]) == {"name", "asks", "verdict", "text"}


def test_the_docs_list_every_question() -> None:
    from exchange_push_operator.selftest.questions import QUESTIONS  # noqa: PLC0415 - of this test

    text = (Path(__file__).parents[2] / "docs" / "compatibility.md").read_text("utf-8")
    assert [q.name for q in QUESTIONS if f"`{q.name}`" not in text] == []
