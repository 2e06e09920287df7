"""Keys of the principal as the whole operator keeps them: renewed, waited for, shared, refused."""

from __future__ import annotations

import json
import re
import shlex
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from answers import OBJECT
from exchange_push_operator.core import by_hand
from exchange_push_operator.core.commands import GraphRequest
from lab.exchange.build import add_auth_certificate, default_organization
from lab.exchange.directory import AuthConfig
from lab.in_process import BY_SECRET, Lab, Operator, lab
from lab.microsoft365.directory import ClientSecret, KeyCredential, Kind
from lab.microsoft365.graph import WRITE_ALL, GraphService
from lab.microsoft365.http import HttpRequest
from lab.microsoft365.sample import CLIENT, DEDICATED, FABRIKAM, SECRET
from lab.microsoft365.sample import principal as holder_of
from lab.microsoft365.sts import Caller
from lab.network.ca import self_signed
from lab.resources import resource
from reconcile.test_stories import with_evo_sts, with_override

pytestmark = pytest.mark.lab

READER = ["Application.Read.All"]
WRITER = ["Application.ReadWrite.All"]


def patches(outside: Lab) -> int:
    return sum(line.startswith("PATCH") for line in outside.microsoft365.requests())


def sign_ins(outside: Lab) -> int:
    return outside.microsoft365.tokens.issued


def add_foreign(outside: Lab, name: str = "theirs", *, ends: float = 300) -> KeyCredential:
    """Another administrator's key, ``ends`` days from now."""
    made = self_signed(name, start=outside.clock() - timedelta(days=400), days=2000)
    end = outside.clock() + timedelta(days=ends)
    key = replace(KeyCredential.of(made, name), end=end)
    holder_of(outside.microsoft365).keys += (key,)
    return key


def ours(outside: Lab) -> list[dict[str, Any]]:
    current = outside.exchange()["authConfig"]["current"]
    return [key for key in outside.key_credentials() if key["thumbprint"] == current]


# an administrator makes the change


def planned(outside: Lab) -> list[str]:
    (change,) = outside.status["plannedChanges"]
    lines: list[str] = change["command"].splitlines()
    return lines


def by_graph_explorer(lines: list[str]) -> tuple[str, str, str]:
    method, path, body = lines[0].split(" ", 2)
    return method, f"https://graph.microsoft.com{path}", body


def by_azure_cli(lines: list[str]) -> tuple[str, str, str]:
    words = shlex.split(lines[1])
    assert words[:2] == ["az", "rest"]
    named = dict(zip(words[2::2], words[3::2], strict=True))
    assert named["--headers"] == "Content-Type=application/json"
    return named["--method"], named["--url"], named["--body"]


def by_powershell(lines: list[str]) -> tuple[str, str, str]:
    quoted = r"'((?:[^']|'')*)'"
    found = re.fullmatch(
        rf"Invoke-MgGraphRequest -Method (\w+) -Uri {quoted} "
        rf"-ContentType 'application/json' -Body {quoted}",
        lines[2],
    )
    assert found
    method, uri, body = (text.replace("''", "'") for text in found.groups())
    return method, uri, body


def administrator(outside: Lab, method: str, url: str, body: str) -> None:
    """Somebody with every right sends it."""
    graph = GraphService(outside.microsoft365.faults, outside.clock)
    caller = Caller(outside.microsoft365.tenant(FABRIKAM), "an administrator", WRITE_ALL)
    sent = replace(HttpRequest.to(method, url), body=body.encode())
    assert graph.answer(caller, sent).status == 204


@pytest.mark.parametrize("tool", [by_graph_explorer, by_azure_cli, by_powershell])
def test_what_is_planned_can_be_sent_as_it_stands_and_turns_true_by_itself(tool: Any) -> None:
    outside = lab()
    add_foreign(outside, "O'Neill's \u2018key\u2019")
    outside.microsoft365.grant(FABRIKAM, CLIENT, READER)
    operator = outside.operator()
    operator.run()
    assert outside.condition("InSync") == ("False", "AwaitingAdministrator")
    assert outside.condition("Stalled") == ("", "")
    before = outside.key_credentials()
    method, url, body = tool(planned(outside))
    administrator(outside, method, url, body)
    operator.run()
    assert outside.condition("InSync") == ("True", "NoDrift")
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert all(key in outside.key_credentials() for key in before)
    assert len(ours(outside)) == 1


def test_the_lines_mean_the_same_whatever_somebody_has_called_a_key() -> None:
    body = {"keyCredentials": [{"displayName": "O'Neill's \"$(key)\" `\u2018\u2019"}]}
    request = GraphRequest("PATCH", f"servicePrincipals/{OBJECT}", body)
    lines = ["", *by_hand.lines("https://graph.microsoft.com", request)]
    for tool in (by_azure_cli, by_powershell):
        method, url, text = tool(lines)
        assert (method, json.loads(text)) == ("PATCH", body)
        assert url == f"https://graph.microsoft.com/v1.0/servicePrincipals/{OBJECT}"
    assert lines[2].isascii()


@pytest.mark.parametrize(
    ("age", "passes"), [(40, 1), (2, 4)], ids=["an old token", "a young token"]
)
def test_a_permission_that_was_granted_is_seen_although_the_token_lasts_an_hour(
    age: int, passes: int
) -> None:
    outside = lab()
    outside.microsoft365.grant(FABRIKAM, CLIENT, READER)
    operator = outside.operator()
    operator.run()
    outside.clock.forward(minutes=age)
    outside.microsoft365.grant(FABRIKAM, CLIENT, WRITER)
    for _ in range(passes):
        operator.step()
        outside.clock.forward(minutes=1)
    assert outside.condition("InSync") == ("True", "NoDrift")
    assert len(ours(outside)) == 1


def test_waiting_for_an_administrator_costs_a_token_in_five_minutes_not_with_every_look() -> None:
    outside = lab()
    outside.microsoft365.grant(FABRIKAM, CLIENT, READER)
    operator = outside.operator()
    operator.run()
    before = sign_ins(outside)
    for _ in range(20):
        outside.clock.forward(minutes=1)
        operator.step()
    assert 3 <= sign_ins(outside) - before <= 4


def test_a_permission_that_was_taken_away_is_a_refusal_and_then_a_wait() -> None:
    outside = lab()
    operator = outside.operator()
    operator.step()  # signed in, nothing written yet
    outside.clock.forward(minutes=10)
    outside.microsoft365.grant(FABRIKAM, CLIENT, READER)
    outside.microsoft365.set_fault("first_party_locked", value=True)  # the old token is turned down
    operator.step()
    assert outside.condition("Stalled") == ("True", "AccessDenied")
    outside.clock.forward(minutes=2)
    operator.step()
    assert outside.condition("InSync") == ("False", "AwaitingAdministrator")
    assert outside.condition("Stalled") == ("", "")


# stored lives that are shorter than the certificate's


def with_a_lasting_secret(outside: Lab) -> Lab:
    application = outside.microsoft365.tenant(FABRIKAM).find(Kind.APPLICATION, CLIENT)
    assert application is not None
    application.secrets = (ClientSecret(SECRET, outside.clock() + timedelta(days=4000)),)
    return outside


def test_a_certificate_of_five_years_is_held_all_the_time_where_keys_live_for_one() -> None:
    outside = with_a_lasting_secret(lab(BY_SECRET))
    outside.microsoft365.set_fault("one_year_storage", value=True)
    before = outside.key_credentials()
    operator = outside.operator()
    operator.run()
    renewals = set()
    for _ in range(170):
        outside.clock.forward(days=10)
        operator.run()
        assert outside.condition("InSync") == ("True", "NoDrift")
        (key,) = ours(outside)
        told = outside.status["principalCredential"]
        assert (told["keyId"], told["endDateTime"]) == (key["keyId"], key["end"])
        assert told["startDateTime"] == key["start"]
        renewals.add(key["end"])
        assert key["end"] > outside.clock().isoformat()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert all(key in outside.key_credentials() for key in before)
    assert 5 <= len(renewals) <= 7


def stored_until(outside: Lab, end: datetime) -> None:
    """Entra ID has stored another end of the key that was added last."""
    holder = holder_of(outside.microsoft365)
    holder.keys = (*holder.keys[:-1], replace(holder.keys[-1], end=end))


def test_a_key_that_ends_soon_waits_for_an_administrator_while_all_works() -> None:
    outside = lab()
    operator = outside.operator()
    operator.run()
    stored_until(outside, outside.clock() + timedelta(days=30))
    outside.microsoft365.grant(FABRIKAM, CLIENT, READER)
    outside.clock.forward(days=29)
    operator.run()
    assert outside.condition("InSync") == ("False", "AwaitingAdministrator")
    assert outside.condition("PrincipalCredentialReady") == ("True", "UpToDate")
    assert outside.condition("Ready") == ("True", "Succeeded")
    administrator(outside, *by_azure_cli(planned(outside)))
    operator.run()
    assert "remove" not in planned(outside)[0]
    assert planned(outside)[0].count("keyId") == 2
    administrator(outside, *by_powershell(planned(outside)))
    operator.run()
    assert outside.condition("InSync") == ("True", "NoDrift")
    assert len(ours(outside)) == 1


def test_a_key_that_has_expired_is_told_as_such_where_nobody_may_write() -> None:
    outside = lab()
    operator = outside.operator()
    operator.run()
    stored_until(outside, outside.clock() - timedelta(days=1))
    outside.microsoft365.grant(FABRIKAM, CLIENT, READER)
    outside.clock.forward(minutes=70)
    operator.run()
    assert outside.condition("PrincipalCredentialReady") == ("False", "Expired")
    assert outside.condition("InSync") == ("False", "AwaitingAdministrator")


def test_a_successor_is_read_back_before_the_old_key_goes() -> None:
    outside = lab()
    operator = outside.operator()
    operator.run()
    stored_until(outside, outside.clock() + timedelta(days=30))
    outside.clock.forward(days=29)
    outside.microsoft365.set_fault("read_lag", 6)
    operator.step()
    assert len(ours(outside)) == 2
    assert patches(outside) == 2
    assert outside.condition("PrincipalCredentialReady") == ("Unknown", "Settling")
    operator.run(most=12)
    assert len(ours(outside)) == 1
    assert outside.condition("Ready") == ("True", "Succeeded")


# two organisations, one principal


def neighbour(of: Lab, guid: str = "11111111-2222-4000-8000-333333333333") -> Lab:
    """Another organisation of the same tenant, with a resource of its own."""
    organization = default_organization(
        auth_certificate=False, clock=of.clock, microsoft365=of.microsoft365, guid=guid
    )
    made = add_auth_certificate(organization, start=of.clock() - timedelta(days=7))
    organization.view().put(AuthConfig(current=made))
    metadata = {**of.resource["metadata"], "name": "neighbour", "uid": guid}
    return Lab(organization, of.microsoft365, of.clock, resource(None, **metadata), of.secrets)


@pytest.mark.parametrize("lag", [0, 1, 2, 5, 9])
def test_two_organisations_on_one_principal_never_cost_each_other_a_key(lag: int) -> None:
    first = lab()
    second = neighbour(first)
    first.microsoft365.set_fault("read_lag", lag)
    one, other = first.operator(), second.operator()
    other.world = replace(other.world, locks=one.world.locks, written=one.world.written)
    before = first.key_credentials()
    for _ in range(14):
        one.step()
        other.step()
        first.clock.forward(seconds=2)
    assert patches(first) == 2
    for outside in (first, second):
        assert outside.condition("PrincipalCredentialReady") == ("True", "UpToDate")
        assert len(ours(outside)) == 1
    assert all(key in first.key_credentials() for key in before)


def beside(first: Lab, one: Operator) -> tuple[Lab, Operator]:
    """Another organisation of the tenant, and the same operator at work on it."""
    second = neighbour(first)
    other = second.operator()
    other.world = replace(other.world, locks=one.world.locks, written=one.world.written)
    return second, other


def test_a_key_whose_answer_was_lost_is_not_lost_to_the_other_organisation() -> None:
    """The second one's list is older than the first one's write, which nobody has confirmed."""
    first = lab()
    first.microsoft365.set_fault("read_lag", 6)
    first.microsoft365.set_fault("reset_after_patch", 1)
    one = first.operator()
    _, other = beside(first, one)
    seen: set[str] = set()
    for _ in range(14):
        for operator in (one, other):
            operator.step()
            held = {key["keyId"] for key in first.key_credentials()}
            assert seen <= held
            seen |= held
        first.clock.forward(seconds=2)
    assert patches(first) == 2


def test_a_reader_that_falls_behind_again_costs_nobody_a_key() -> None:
    first = lab()
    one = first.operator()
    second, other = beside(first, one)
    one.run()
    before = first.key_credentials()
    holder = holder_of(first.microsoft365)
    (mine,) = ours(first)
    holder.stale = tuple(key for key in holder.keys if key.key_id != mine["keyId"])
    holder.stale_reads = 4
    for _ in range(6):
        other.run(most=3)
        assert all(key in first.key_credentials() for key in before)
        first.clock.forward(minutes=1)
    assert second.condition("PrincipalCredentialReady") == ("True", "UpToDate")


def test_two_resources_never_write_one_principal_at_the_same_time() -> None:
    """The other one starts in the moment between the first one's last read and its PATCH."""
    first = lab()
    second = neighbour(first)
    other = second.operator()
    other.step()  # introduces itself
    rival = threading.Thread(target=other.step)

    class Slow(Operator):
        def _before_call(self, call: str, changes: bool) -> None:  # noqa: FBT001 - a hook of the lab
            if call.startswith("PATCH") and not rival.ident:
                rival.start()
                rival.join(timeout=0.5)  # it has to wait; without the lock it would be done
            super()._before_call(call, changes)

    one = Slow(first)
    other.world = replace(other.world, locks=one.world.locks, written=one.world.written)
    one.step()
    one.step()
    rival.join()
    assert rival.ident
    for outside, operator in ((first, one), (second, other)):
        assert len(ours(outside)) == 1
        operator.run()
        assert outside.condition("PrincipalCredentialReady") == ("True", "UpToDate")
    assert patches(first) == 2


# expired keys of others


@pytest.mark.parametrize(
    ("fault", "condition"),
    [
        ("refuse_expired_dates", ("True", "UpToDate")),
        ("refuse_expired_entries", ("False", "ExpiredForeignKeys")),
    ],
)
def test_an_expired_foreign_key_stays_and_is_sent_without_its_dates_where_they_trouble(
    fault: str, condition: tuple[str, str]
) -> None:
    outside = lab()
    gone = add_foreign(outside, ends=-3)
    outside.microsoft365.set_fault(fault, value=True)
    outside.operator().run()
    assert outside.condition("PrincipalCredentialReady") == condition
    assert gone.state() in outside.key_credentials()


def test_expired_foreign_keys_that_an_administrator_removes_are_forgotten() -> None:
    outside = lab()
    gone = add_foreign(outside, ends=-3)
    outside.microsoft365.set_fault("refuse_expired_entries", value=True)
    operator = outside.operator()
    operator.run()
    assert outside.condition("Stalled") == ("True", "ExpiredForeignKeys")
    said = next(c for c in outside.status["conditions"] if c["type"] == "Stalled")["message"]
    assert f"--cert --key-id <id>, with {gone.key_id}" in said
    outside.microsoft365.remove_keys(FABRIKAM, holder_of(outside.microsoft365).app_id, gone.key_id)
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_a_key_without_an_id_stops_the_write_and_is_told_with_its_cure() -> None:
    outside = lab()
    theirs = add_foreign(outside)
    nameless = replace(theirs, key_id="")
    holder_of(outside.microsoft365).keys = (nameless,)
    operator = outside.operator()
    operator.run()
    for condition in ("PrincipalCredentialReady", "InSync"):
        assert outside.condition(condition) == ("False", "ChangeRefused")
        said = next(c for c in outside.status["conditions"] if c["type"] == condition)["message"]
        assert "remove them, and let their owner add them anew" in said
    assert holder_of(outside.microsoft365).keys == (nameless,)
    holder_of(outside.microsoft365).keys = (theirs,)
    outside.clock.forward(minutes=10)
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert theirs in holder_of(outside.microsoft365).keys


# beside a dedicated application


def dedicated(roles: list[str]) -> Lab:
    """An organisation that signs in as its dedicated application."""
    outside = lab({"principal": {"target": "DedicatedApplication", "appId": DEDICATED}})
    with_evo_sts(outside)
    with_override(outside)
    outside.microsoft365.grant(FABRIKAM, CLIENT, roles)
    return outside


def advisories(outside: Lab) -> set[str]:
    return {advisory["type"] for advisory in outside.status["advisories"]}


def test_a_key_that_is_put_back_on_the_shared_principal_is_told_at_the_next_look() -> None:
    outside = dedicated(WRITER)
    operator = outside.operator()
    operator.run()
    assert "KeyOnSharedPrincipal" not in advisories(outside)
    shared = holder_of(outside.microsoft365)
    server = next(iter(outside.organization.servers.values()))
    current = server.store[outside.exchange()["authConfig"]["current"]].x509
    back = KeyCredential.of(current, "put back")
    shared.keys += (back,)
    operator.run()
    assert "KeyOnSharedPrincipal" in advisories(outside)
    assert back in shared.keys
    outside.microsoft365.remove_keys(FABRIKAM, shared.app_id, back.key_id)
    operator.run()
    assert "KeyOnSharedPrincipal" not in advisories(outside)


def test_an_owner_of_the_dedicated_application_who_may_not_see_the_shared_one_is_told() -> None:
    outside = dedicated(["Application.ReadWrite.OwnedBy"])
    operator = outside.operator()
    operator.run()
    assert "SharedPrincipalNotSeen" in advisories(outside)
    assert outside.condition("Stalled") == ("", "")
    before = sign_ins(outside)
    for _ in range(4):
        operator.step()
    assert sign_ins(outside) == before


def test_foreign_certificates_of_the_sample_are_no_key_of_this_organisation() -> None:
    outside = dedicated(WRITER)
    shared = holder_of(outside.microsoft365)
    assert len(shared.keys) == 1
    outside.operator().run()
    assert "KeyOnSharedPrincipal" not in advisories(outside)
