"""``status`` draws stages, servers and dates of every situation on one screen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from exchange_push_operator.core.status import STAGE_CONDITIONS
from exchange_push_operator.kubectl.screen import draw
from lab.resources import ROOT, resource
from lab.situations.recording import OBJECTS, recorded

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SITUATIONS = sorted(path.stem for path in OBJECTS.glob("*.json"))
READY = """\
exchange/fabrikam, tenant fabrikam.com, Manage, servers 2/2
Ready    True Succeeded: push notifications of fabrikam.com are proxied and verified on 2 servers
In sync  True NoDrift: nothing to change

STAGE                     STATUS  REASON          MESSAGE
PrerequisitesMet          True    Met             the servers and the partner application are as...
CertificateReady          True    Valid           0000000000000000000000000000000000000001 is cu...
AuthServerReady           True    UpToDate        auth server MicrosoftSts serves the tenant
PrincipalCredentialReady  True    UpToDate        the principal holds 00000000000000000000000000...
ProxyReady                True    UpToDate        the proxy is enabled for fabrikam.com
Verified                  True    ProbeSucceeded  the probe succeeded on every server that was p...

SERVER                 READY  VERSION       CERTIFICATE  PROBE      NOTE
ex1.corp.fabrikam.com  yes    15.2.2562.17  Present      Succeeded
ex2.corp.fabrikam.com  yes    15.2.2562.17  Present      Succeeded

DATE                  DAYS  WHAT
2031-10-22T09:00:00Z  1796  end of certificate 0000000000000000000000000000000000000001
2031-10-22T09:00:00Z  1796  end of the key in Entra ID

CHANGED               OUTCOME    ACTION                              TARGET
2026-11-21T09:00:01Z  Succeeded  Restart the health manager          ex2.corp.fabrikam.com
2026-11-21T09:00:01Z  Succeeded  Restart the health manager          ex1.corp.fabrikam.com
2026-11-21T09:00:01Z  Succeeded  Enable the push notification proxy  fabrikam.com
2026-11-21T09:00:01Z  Succeeded  Add a key credential                00000002-0000-0ff1-ce00-000...
2026-11-21T09:00:01Z  Succeeded  Create the auth server              MicrosoftSts
"""


def test_a_ready_resource_is_drawn_like_this() -> None:
    assert draw(recorded("ready"), NOW, 99).startswith(READY)
    assert READY in (ROOT / "docs" / "kubectl.md").read_text("utf-8")


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_situation_fits_a_terminal(name: str) -> None:
    lines = draw(recorded(name), NOW, 100).splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) <= 40


@pytest.mark.parametrize("name", SITUATIONS)
def test_nothing_is_cut_where_the_output_is_no_terminal(name: str) -> None:
    situation = recorded(name)
    drawn = draw(situation, NOW, 1 << 20)
    for condition in situation.get("status", {}).get("conditions", ()):
        if condition["type"] in STAGE_CONDITIONS:
            assert " ".join(condition["message"].split()) in drawn
    for server in situation.get("status", {}).get("servers", ()):
        assert server["name"] in drawn


def test_a_resource_that_nobody_has_looked_at_says_so() -> None:
    assert "Ready    Unknown : not yet" in draw(resource(), NOW, 80)


def test_a_condition_of_an_older_spec_is_marked() -> None:
    situation = recorded("ready")
    situation["metadata"]["generation"] = 2
    assert "True (old)" in draw(situation, NOW, 120)


def test_what_a_server_said_cannot_move_the_cursor() -> None:
    situation = recorded("one-server-away")
    situation["status"]["servers"][1]["message"] = "\x1b[2J\nREADY\r\x07"
    drawn = draw(situation, NOW, 200)
    assert drawn.isprintable() or set(filter(lambda c: not c.isprintable(), drawn)) == {"\n"}
    assert "Unreachable: [2J READY" in drawn


@pytest.mark.parametrize(
    ("name", "word"),
    [("suspended", "suspended"), ("observe-drift", "Observe"), ("deleting", "being deleted")],
)
def test_the_first_line_has_the_mode(name: str, word: str) -> None:
    assert word in draw(recorded(name), NOW, 120).splitlines()[0]


def test_a_plan_that_waits_for_approval_says_what_to_set() -> None:
    situation = recorded("awaiting-approval")
    plan = situation["status"]["planHash"]
    drawn = draw(situation, NOW, 120)
    assert f"PLANNED {plan} " in drawn
    assert f"Approval: none; to approve this plan, set spec.approvedPlan to {plan}." in drawn
    situation["spec"]["approvedPlan"] = plan
    assert "Approval: stands" in draw(situation, NOW, 120)


def test_a_plan_that_waits_for_a_window_says_when_it_opens() -> None:
    drawn = draw(recorded("outside-window"), NOW, 120)
    assert "2026-11-21T21:00:00Z  0     a change window opens" in drawn
    assert "When: not before the change window that opens at 2026-11-21T21:00:00Z." in drawn


def test_a_resource_that_cannot_be_read_is_drawn_all_the_same() -> None:
    situation = recorded("outside-window")
    situation["spec"]["changeWindows"][0]["timeZone"] = "Europe/Atlantis"
    assert "STAGE " in draw(situation, NOW, 120)


def test_the_newest_five_changes_are_shown() -> None:
    situation = recorded("ready")
    (newest, *_) = situation["status"]["history"]
    situation["status"]["history"] = [{**newest, "target": f"change-{n}"} for n in range(10)]
    drawn = draw(situation, NOW, 120)
    assert [n for n in range(10) if f"change-{n}" in drawn] == [0, 1, 2, 3, 4]
