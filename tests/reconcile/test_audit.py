"""The audit: every write has its entry, and the entries tell the whole story."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from exchange_push_operator.core.commands import Cmdlet, GraphRequest
from exchange_push_operator.core.parse import parse
from exchange_push_operator.reconcile.gather import gather
from exchange_push_operator.reconcile.session import open_session
from exchange_push_operator.reconcile.walk import walk
from lab.exchange.faults import set_fault
from lab.exchange.in_process import InProcessExchange
from lab.in_process import BY_SECRET, PASSWORD, Lab, Operator, lab
from lab.microsoft365.clouds import EXCHANGE_ONLINE
from lab.microsoft365.sample import principal

pytestmark = pytest.mark.lab

PAGE = (Path(__file__).parents[2] / "docs/audit.md").read_text("utf-8")
PROMISED = {
    name
    for row in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", PAGE, re.MULTILINE)
    for name in re.findall(r"\w+", row)
}
ALWAYS = {
    "uid",
    "generation",
    "plan_hash",
    "approved_plan",
    "action",
    "stage",
    "event",
    "target",
    "acting",
    "server",
    "before",
    "after",
    "request_id",
    "outcome",
    "error",
}
CMDLET, CALL = {"cmdlet", "parameters"}, {"method", "path", "body"}


def entries(operator: Operator, outcome: str = "") -> list[Mapping[str, Any]]:
    return [entry for _, entry in operator.audited if outcome in ("", entry["outcome"])]


def told(operator: Operator) -> list[tuple[str, str]]:
    """What was written, and what came of it."""
    return [(e.get("cmdlet") or e["method"], e["outcome"]) for e in entries(operator)]


def written(outside: Lab) -> int:
    """The writes as the other side counts them."""
    patches = sum("PATCH" in line for line in outside.microsoft365.requests())
    return len(outside.organization.changes) + patches


def as_json(entry: Any, ids: Mapping[str, str]) -> Any:
    """As the log has it, with the other tenant's ids."""
    text = json.dumps(entry, default=str)
    for mine, theirs in ids.items():
        text = text.replace(mine, theirs)
    return json.loads(text)


def given_ids(outside: Lab) -> list[str]:
    """What a tenant calls its things by itself, as it is at the start."""
    holder = principal(outside.microsoft365, EXCHANGE_ONLINE)
    keys = outside.key_credentials()
    return [holder.object_id, *(key[name] for key in keys for name in ("keyId", "thumbprint"))]


def plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def replay(operator: Operator, onto: Lab, ids: Mapping[str, str]) -> None:
    """Do again what the entries say was done, each at its time; ``ids`` are the other tenant's."""
    exchange = InProcessExchange(onto.organization)
    life = onto.operator()
    for moment, entry in operator.audited:
        onto.clock.now = moment
        if entry["outcome"] not in ("succeeded", "found_made"):
            continue
        line = as_json(entry, ids)
        if "cmdlet" in line:
            parameters = [(name, plain(value)) for name, value in line["parameters"].items()]
            command = Cmdlet(line["cmdlet"], tuple(parameters))
            (answer,) = exchange.run(line["server"], (command,), changes=True)
            assert answer.error is None
        else:
            path = line["path"].removeprefix("/v1.0/")
            send_as(life, GraphRequest(line["method"], path, line["body"]))


def send_as(life: Operator, request: GraphRequest) -> None:
    session = open_session(parse(life.lab.resource), life.world, life.lab.clock())
    assert session.graph is not None
    session.graph.send(request)


def adopts(outside: Lab, operator: Operator) -> None:
    del outside
    operator.run()


def begins_without_a_certificate(outside: Lab, operator: Operator) -> None:
    for _ in range(6):
        operator.run()
        outside.clock.forward(minutes=6)


def is_put_back(outside: Lab, operator: Operator) -> None:
    operator.run()
    outside.edit({**BY_SECRET, "proxy": {"state": "Disabled"}})
    operator.run()


def loses_answers(outside: Lab, operator: Operator) -> None:
    for fault in ("die_before_change", "die_after_change"):
        set_fault(outside.organization, fault, 1)
    for _ in range(4):
        operator.run()
        outside.clock.forward(minutes=6)


Story = Callable[[Lab, Operator], None]


@pytest.mark.parametrize(
    ("story", "auth_certificate"),
    [
        (adopts, True),
        (begins_without_a_certificate, False),
        (is_put_back, True),
        (loses_answers, True),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_who_does_again_what_the_audit_says_arrives_where_the_run_did(
    story: Story,
    auth_certificate: bool,  # noqa: FBT001 - a table's column
) -> None:
    first, second = (lab(BY_SECRET, auth_certificate=auth_certificate) for _ in range(2))
    ids = dict(zip(given_ids(first), given_ids(second), strict=True))
    operator = first.operator()
    story(first, operator)
    replay(operator, second, ids)
    second.clock.now = first.clock.now
    assert first.organization.changes
    assert second.exchange() == first.exchange()
    assert second.key_credentials() == as_json(first.key_credentials(), ids)


@pytest.mark.parametrize("auth_certificate", [True, False])
def test_every_write_has_an_entry_and_nothing_else_has(auth_certificate: bool) -> None:  # noqa: FBT001 - a table's column
    outside = lab(BY_SECRET, auth_certificate=auth_certificate)
    operator = outside.operator()
    begins_without_a_certificate(outside, operator)
    assert len(entries(operator, "succeeded")) == written(outside) > 0
    assert len(entries(operator)) == written(outside)
    sent = [entry["parameters"] for entry in entries(operator) if "cmdlet" in entry]
    assert sent == [change.parameters for change in outside.organization.changes]


def test_the_fields_are_as_promised() -> None:
    operator = lab(BY_SECRET).operator()
    operator.run()
    for entry in entries(operator):
        assert set(entry) == ALWAYS | (CMDLET if "cmdlet" in entry else CALL)
        assert set(entry) <= PROMISED, "docs/audit.md"


def test_an_entry_says_who_did_what_to_what_and_why() -> None:
    outside = lab(BY_SECRET)
    operator = outside.operator()
    operator.run()
    proxy = next(e for e in entries(operator) if e.get("cmdlet") == "Enable-PushNotificationProxy")
    assert proxy["uid"] == outside.resource["metadata"]["uid"]
    assert proxy["generation"] == 1
    assert proxy["acting"] == {"exchange": "CORP\\svc-epo"}
    assert (proxy["stage"], proxy["event"]) == ("ProxyReady", "ProxyEnabled")
    assert proxy["before"] == {"Enabled": False, "Organization": "", "Uri": ""}
    assert proxy["after"]["Enabled"] is True
    assert proxy["after"]["Organization"] == "fabrikam.com"
    key = next(e for e in entries(operator) if e.get("method") == "PATCH")
    assert set(key["acting"]) == {"tenant_id", "client_id"}
    assert len(key["after"]["keyCredentials"]) == len(key["before"]["keyCredentials"]) + 1


def test_what_was_planned_and_what_was_written_have_the_same_hash() -> None:
    outside = lab(BY_SECRET)
    outside.edit({**BY_SECRET, "managementPolicy": "Observe"})
    outside.operator().run()
    shown = outside.status["planHash"]
    outside.edit(BY_SECRET)
    operator = outside.operator()
    operator.run()
    assert entries(operator)[0]["plan_hash"] == shown


def test_a_plan_has_the_same_hash_in_another_life_and_hours_later() -> None:
    outside = lab({**BY_SECRET, "managementPolicy": "Observe"})
    hashes = []
    for _ in range(3):
        outside.operator().run()
        hashes.append(outside.status["planHash"])
        outside.clock.forward(hours=6)
    assert len(set(hashes)) == 1


def test_each_write_has_a_request_id_of_its_own() -> None:
    operator = lab(BY_SECRET).operator()
    operator.run()
    ids = [entry["request_id"] for entry in entries(operator)]
    assert len(set(ids)) == len(ids) > 1


def test_a_write_that_was_turned_down_says_so() -> None:
    outside = lab(BY_SECRET)
    operator = outside.operator()
    set_fault(outside.organization, "failing_cmdlet", "New-AuthServer")
    operator.step()
    operator.step()
    failed = entries(operator, "failed")
    assert [entry["cmdlet"] for entry in failed] == ["New-AuthServer"]
    assert failed[0]["after"] is None
    assert "New-AuthServer" in failed[0]["error"]


@pytest.mark.parametrize(
    ("fault", "found"),
    [("die_before_change", "found_not_made"), ("die_after_change", "found_made")],
)
def test_a_lost_answer_is_followed_by_what_was_found(fault: str, found: str) -> None:
    outside = lab(BY_SECRET)
    operator = outside.operator()
    set_fault(outside.organization, fault, 1)
    operator.run()
    outside.clock.forward(minutes=6)
    operator.run()
    lost = {entry["request_id"] for entry in entries(operator, "unknown")}
    assert lost
    for identifier in lost:
        same = [e["outcome"] for e in entries(operator) if e["request_id"] == identifier]
        assert same == ["unknown", found]


def test_a_write_in_which_a_bug_of_ours_comes_up_has_its_line() -> None:
    outside = lab(BY_SECRET)
    operator = outside.operator()
    operator.step()

    def stumble() -> None:
        if outside.organization.changes:
            raise LookupError(PASSWORD)

    operator.after = stumble
    with pytest.raises(LookupError):
        operator.step()
    operator.after = lambda: None
    operator.step()
    made = [entry for entry in entries(operator) if entry.get("cmdlet") == "New-AuthServer"]
    assert [entry["outcome"] for entry in made] == ["unknown", "found_made"]
    assert made[0]["error"] == "a bug ended it: LookupError"


def test_a_deletion_does_not_tell_what_came_of_earlier_writes() -> None:
    """It looks at what is to be undone, and at nothing else."""
    outside = lab({**BY_SECRET, "deletionPolicy": "Disable"})
    operator = outside.operator()
    operator.step()
    operator.step()
    set_fault(outside.organization, "die_before_change", 1)
    operator.before = lambda: set_fault(outside.organization, "down", bool(entries(operator)))
    operator.step()
    operator.before = lambda: None
    set_fault(outside.organization, "down", value=False)
    assert told(operator) == [("New-AuthServer", "unknown")]
    outside.delete()
    operator.run()
    assert outside.deleted
    assert told(operator) == [("New-AuthServer", "unknown")]


def test_undoing_is_audited_too() -> None:
    outside = lab({**BY_SECRET, "deletionPolicy": "Disable"})
    outside.operator().run()
    outside.resource["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z"
    operator = outside.operator()
    before = written(outside)
    operator.run()
    assert ("Disable-PushNotificationProxy", "succeeded") in told(operator)
    assert len(entries(operator)) == written(outside) - before


READ_ONLY: list[Mapping[str, Any]] = [
    {},
    {"deletionPolicy": "Disable"},
    {"certificate": {"policy": "Manage"}},
    {"proxy": {"state": "Disabled"}},
]


@pytest.mark.parametrize("auth_certificate", [True, False])
@pytest.mark.parametrize("spec", READ_ONLY, ids=lambda spec: next(iter(spec), "as it is"))
def test_an_installation_that_may_only_read_writes_nothing_and_audits_nothing(
    spec: Mapping[str, Any],
    auth_certificate: bool,  # noqa: FBT001 - a table's column
) -> None:
    outside = lab({**BY_SECRET, **spec}, auth_certificate=auth_certificate)
    operator = outside.operator(read_only=True)
    for _ in range(3):
        operator.run()
        outside.clock.now += timedelta(hours=2)
    assert (written(outside), operator.audited) == (0, [])


def test_not_even_a_mistake_of_ours_writes_there() -> None:
    outside = lab(BY_SECRET)
    operator = outside.operator(read_only=True)
    operator.step()  # it writes down which organisation this is
    session = open_session(parse(outside.resource), operator.world, outside.clock())
    with pytest.raises(AssertionError, match="nothing may be written"):
        walk(session, operator.memory, gather(session), may_write=True)
    assert (written(outside), operator.audited) == (0, [])


def test_an_installation_that_may_only_read_undoes_nothing_at_a_deletion() -> None:
    outside = lab({**BY_SECRET, "deletionPolicy": "Disable"})
    outside.operator().run()
    before = written(outside)
    outside.resource["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z"
    operator = outside.operator(read_only=True)
    operator.run()
    assert (written(outside), operator.audited) == (before, [])
    assert not outside.deleted
    assert "--read-only" in json.dumps(outside.status)
