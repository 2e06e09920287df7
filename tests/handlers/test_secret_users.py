"""A changed Secret wakes the resources that name it, and no others."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from exchange_push_operator.handlers.secret_users import SecretUsers
from exchange_push_operator.handlers.workqueue import Key
from handlers.bench import Bench
from lab.resources import ROOT

FABRIKAM, CONTOSO = ("exchange", "fabrikam"), ("exchange", "contoso")
ACCOUNT, ENTRA = ("exchange", "account"), ("exchange", "entra")


def naming(**connection: Any) -> dict[str, Any]:
    return {"spec": {"exchange": {"connection": connection}}}


@pytest.fixture
def users() -> SecretUsers:
    """Fabrikam names the Secret ``account``, which was listed at the start."""
    users = SecretUsers()
    users.put(FABRIKAM, naming(credentialsSecretRef={"name": "account"}))
    assert not users.changed(None, ACCOUNT, "1")
    return users


def test_every_secret_that_a_resource_can_name_is_known() -> None:
    users = SecretUsers()
    full = yaml.safe_load((ROOT / "examples" / "pushconfig-full.yaml").read_text("utf-8"))
    full["spec"]["tenant"]["credentials"]["clientSecret"] = {
        "secretRef": {"name": "client-secret", "key": "secret"}
    }
    users.put(FABRIKAM, full)

    def wakes(name: str) -> bool:
        return FABRIKAM in users.changed("MODIFIED", ("exchange", name), "2")

    connection, credentials = full["spec"]["exchange"]["connection"], "fabrikam-entra"
    named = [connection["credentialsSecretRef"]["name"], connection["caSecretRef"]["name"]]
    assert [name for name in [*named, credentials, "client-secret"] if not wakes(name)] == []
    assert not wakes("another")


@pytest.mark.parametrize("change", ["ADDED", "MODIFIED", "DELETED"])
def test_a_change_wakes_who_names_the_secret(users: SecretUsers, change: str) -> None:
    users.put(CONTOSO, naming(credentialsSecretRef={"name": "entra"}))
    assert users.changed(change, ACCOUNT, "2") == {FABRIKAM}


def test_a_secret_of_another_namespace_wakes_nobody(users: SecretUsers) -> None:
    assert not users.changed("MODIFIED", ("other", "account"), "2")


def test_the_same_version_wakes_nobody_twice(users: SecretUsers) -> None:
    assert not users.changed("MODIFIED", ACCOUNT, "1")


def test_what_changed_while_the_watch_was_cut_is_noticed_when_it_lists_again(
    users: SecretUsers,
) -> None:
    assert not users.changed(None, ACCOUNT, "1")
    assert users.changed(None, ACCOUNT, "2") == {FABRIKAM}


def forget(users: SecretUsers) -> None:
    users.remove(FABRIKAM)


def name_another(users: SecretUsers) -> None:
    users.put(FABRIKAM, naming(credentialsSecretRef={"name": "entra"}))


@pytest.mark.parametrize("step", [forget, name_another])
def test_who_names_it_no_longer_is_not_woken(users: SecretUsers, step: Any) -> None:
    step(users)
    assert not users.changed("MODIFIED", ACCOUNT, "2")


def test_a_changed_secret_cuts_a_wait_short() -> None:
    def secret(version: str, key: Key = ACCOUNT) -> dict[str, Any]:
        namespace, name = key
        return {"metadata": {"namespace": namespace, "name": name, "resourceVersion": version}}

    with Bench() as bench:
        bench.objects.create("a")
        bench.settle(looks=1)
        bench.objects.edit_spec("a", credentialsSecretRef={"name": "account"})
        bench.settle(looks=2)
        bench.call(lambda: bench.controller.secret_watched("MODIFIED", secret("2", ENTRA)))
        bench.call(lambda: bench.controller.secret_watched("MODIFIED", secret("2")))
        bench.settle(looks=3)
        assert bench.looks == ["a"] * 3
