"""Others at the same organisation: the wizard of hybrid, a second operator, a restore."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answers import EX1
from exchange_push_operator.core.conflict import Peer
from lab.exchange.build import add_auth_certificate
from lab.exchange.directory import AuthServer
from lab.exchange.runner import administrator
from lab.in_process import Lab, Operator, lab
from lab.microsoft365.directory import KeyCredential
from lab.microsoft365.sample import FABRIKAM, principal
from lab.resources import resource

pytestmark = pytest.mark.lab

WIZARD = "ACS - 0f7c2a54"
ACS = f"https://accounts.accesscontrol.windows.net/{FABRIKAM}/metadata/json/1"
EVO_STS = f"https://login.windows.net/{FABRIKAM}/federationmetadata/2007-06/federationmetadata.xml"
OTHER_UID = "11111111-2222-4333-8444-555555555555"


def ours(outside: Lab) -> list[str]:
    """What operators changed in Exchange and in Entra ID."""
    made = [c.cmdlet for c in outside.organization.changes if c.account.endswith("svc-epo")]
    return made + [line for line in outside.microsoft365.requests() if "PATCH" in line]


# the Hybrid Configuration Wizard


def wizard(outside: Lab, *, replaces: bool) -> str:
    """What the wizard leaves behind; the thumbprint of the certificate that signs from now on."""
    shell = administrator(outside.organization)
    shell.run("New-AuthServer", Name=WIZARD, AuthMetadataUrl=ACS)
    outside.organization.view().put(
        AuthServer(name="EvoSts - 0f7c2a54", type="AzureAD", realm=FABRIKAM, metadata_url=EVO_STS)
    )
    if replaces:
        shell.run("Remove-AuthServer", Identity="MicrosoftSts", Confirm=False)
    thumbprint = add_auth_certificate(outside.organization)
    held = outside.organization.server(EX1).store[thumbprint]
    principal(outside.microsoft365).keys += (KeyCredential.of(held.x509, "the wizard's"),)
    shell.run("Set-AuthConfig", CertificateThumbprint=thumbprint, Force=True)
    return thumbprint


@pytest.mark.parametrize("replaces", [False, True], ids=["beside ours", "in place of ours"])
def test_what_the_wizard_does_in_the_middle_of_our_life_is_adopted(replaces: bool) -> None:  # noqa: FBT001 - drawn
    outside = lab()
    operator = outside.operator()
    operator.run()
    before, keys = ours(outside), outside.key_credentials()
    thumbprint = wizard(outside, replaces=replaces)
    for _ in range(4):
        outside.clock.forward(minutes=20)
        operator.run()
    assert ours(outside) == before
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert outside.status["certificate"]["thumbprint"] == thumbprint
    assert outside.exchange()["authConfig"]["current"] == thumbprint
    names = {server["name"] for server in outside.exchange()["authServers"]}
    assert WIZARD in names
    assert ("MicrosoftSts" in names) is not replaces
    told = {advisory["type"] for advisory in outside.status["advisories"]}
    assert ("SeveralAuthServers" in told) is not replaces
    assert len(outside.key_credentials()) == len(keys) + 1


def test_a_certificate_of_the_wizard_whose_key_it_did_not_upload_gets_its_key() -> None:
    outside = lab()
    operator = outside.operator()
    operator.run()
    thumbprint = add_auth_certificate(outside.organization)
    administrator(outside.organization).run(
        "Set-AuthConfig", CertificateThumbprint=thumbprint, Force=True
    )
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert thumbprint in {key["thumbprint"] for key in outside.key_credentials()}


# a second operator, on a second API server


def rival_of(outside: Lab) -> Lab:
    """The same organisation, described with the same spec in another cluster."""
    metadata = {**outside.resource["metadata"], "uid": OTHER_UID}
    return Lab(
        outside.organization,
        outside.microsoft365,
        outside.clock,
        resource(None, **metadata),
        outside.secrets,
    )


class Turns:
    """Lets two operators make their remote calls in a given order; one call at a time."""

    def __init__(self, order: list[int]) -> None:
        self._order = list(order)
        self._done: set[int] = set()
        self._busy = False
        self._changed = threading.Condition()

    def before(self, who: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._busy and self._may(who))
            if self._order and self._order[0] == who:
                self._order.pop(0)
            self._busy = True

    def after(self) -> None:
        with self._changed:
            self._busy = False
            self._changed.notify_all()

    def done(self, who: int) -> None:
        with self._changed:
            self._done.add(who)
            self._changed.notify_all()

    def _may(self, who: int) -> bool:
        while self._order and self._order[0] in self._done:
            self._order.pop(0)
        return not self._order or self._order[0] == who


def side_by_side(labs: tuple[Lab, Lab], order: list[int], passes: int = 6) -> None:
    """Some passes of two operators, whose calls are interleaved; then each once more by itself."""
    turns = Turns(order)
    operators = [
        one.operator(before=lambda who=who: turns.before(who), after=turns.after)
        for who, one in enumerate(labs)
    ]
    failures: list[BaseException] = []

    def live(who: int) -> None:
        try:
            for _ in range(passes):
                operators[who].step()
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)
        finally:
            turns.done(who)

    threads = [threading.Thread(target=live, args=(who,)) for who in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for one in labs:
        one.clock.forward(minutes=6)
        one.operator().run()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 1), max_size=120))
def test_two_operators_with_one_spec_end_as_one_whatever_the_order_of_their_calls(
    order: list[int],
) -> None:
    alone = lab()
    alone.operator().run()
    first = lab()
    second = rival_of(first)
    side_by_side((first, second), order)
    for one in (first, second):
        assert one.condition("Ready") == ("True", "Succeeded")
        assert one.condition("InSync") == ("True", "NoDrift")
    assert first.outside() == alone.outside()
    before = ours(first)
    for one in (first, second):
        one.operator().run()
    assert ours(first) == before


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 1), max_size=120))
def test_two_operators_that_both_make_a_certificate_assign_one_and_rest(order: list[int]) -> None:
    """Nothing locks one cluster out for another: a second certificate may be left, never used."""
    first = lab(auth_certificate=False)
    second = rival_of(first)
    side_by_side((first, second), order)
    current = first.exchange()["authConfig"]["current"]
    assert current
    for one in (first, second):
        assert one.condition("Ready") == ("True", "Succeeded")
        assert one.status["certificate"]["thumbprint"] == current
    assigned = [c for c in first.organization.changes if c.cmdlet == "Set-AuthConfig"]
    assert {c.parameters["CertificateThumbprint"] for c in assigned} == {current}
    assert len(first.exchange()["authServers"]) == 1


# deleted and restored


def peer(of: Lab) -> Peer:
    metadata = of.resource["metadata"]
    return Peer(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        created=metadata["creationTimestamp"],
        organization_id=of.status.get("organizationId"),
        deleting=False,
    )


def passes(labs: list[Lab], operators: list[Operator], count: int = 4) -> None:
    for _ in range(count):
        for one, operator in zip(labs, operators, strict=True):
            one.peers = [peer(other) for other in labs if other is not one]
            operator.step()


def restored(old: Lab, name: str, *, minute: int) -> Lab:
    """The same spec, a new object: another uid and time of creation, no status."""
    metadata: dict[str, Any] = {
        **old.resource["metadata"],
        "name": name,
        "uid": f"22222222-0000-4000-8000-{minute:012}",
        "creationTimestamp": f"2026-11-22T10:{minute:02}:00Z",
        "generation": 1,
    }
    made = resource(None, **metadata)
    return Lab(old.organization, old.microsoft365, old.clock, made, old.secrets)


def test_all_resources_deleted_and_restored_in_reverse_order_end_where_they_were() -> None:
    winner = lab()
    loser = restored(winner, "later", minute=1)
    labs = [winner, loser]
    passes(labs, [one.operator() for one in labs])
    assert winner.condition("Ready") == ("True", "Succeeded")
    assert loser.condition("Stalled") == ("True", "ConflictingConfig")
    before, made, keys = winner.outside(), ours(winner), winner.key_credentials()

    again = [restored(loser, "later", minute=2), restored(winner, "first", minute=3)]
    passes(again, [one.operator() for one in again])
    assert again[0].condition("Ready") == ("True", "Succeeded")
    assert again[1].condition("Stalled") == ("True", "ConflictingConfig")
    assert again[0].outside() == before
    assert again[0].key_credentials() == keys
    assert ours(again[0]) == made
