"""What the operator may do, and who may do what with its resources."""

from __future__ import annotations

from typing import Any

import pytest

from chart.rendered import of_kind, render
from chart.value_sets import OTHER, RELEASE_NAMESPACE, WATCHED, Values
from lab.chart import NAME, Manifest

pytestmark = pytest.mark.lab


def grants(manifests: list[Manifest], kind: str) -> dict[str, list[str]]:
    """Resource -> verbs."""
    (role,) = (it for it in of_kind(manifests, kind) if it["metadata"]["name"] == NAME)
    return {
        f"{group}/{resource}": sorted(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


@pytest.mark.parametrize(
    ("kind", "values"), [("ClusterRole", {}), ("Role", {"watchNamespaces": [WATCHED]})]
)
def test_the_operator_may_do_no_more_than_it_needs(kind: str, values: Values) -> None:
    assert grants(render(**values), kind) == {
        "exchangepush.dev/exchangepushconfigs": ["get", "list", "patch", "watch"],
        "exchangepush.dev/exchangepushconfigs/status": ["update"],
        "/secrets": ["get"],
        "events.k8s.io/events": ["create", "patch"],
    }


def test_secrets_are_listed_and_watched_only_where_the_installer_says_so() -> None:
    assert grants(render(secrets={"watch": True}), "ClusterRole")["/secrets"] == [
        *("get", "list", "watch")
    ]


def test_leader_election_needs_one_lease_of_the_releases_namespace() -> None:
    roles = of_kind(render(), "Role")
    assert [one["metadata"]["namespace"] for one in roles] == [RELEASE_NAMESPACE]
    create, others = roles[0]["rules"]
    assert (create["verbs"], others["verbs"]) == (["create"], ["get", "update"])
    assert others["resourceNames"] == [NAME]
    assert not of_kind(render(replicas=1, leaderElection={"enabled": False}), "Role")


TOKENS: Values = {"policy": {"namespaces": {WATCHED: {"serviceAccounts": ["a", "b"]}, OTHER: {}}}}
TOKENS_OF_ALL: Values = {"policy": {"namespaces": {"*": {"serviceAccounts": ["c"]}}}}


def tokens(**values: Any) -> dict[tuple[str, str], list[str]]:
    """Whose tokens may be asked for: (kind, namespace) -> names of service accounts."""
    found = {}
    for role in render(**values):
        for rule in role.get("rules", ()):
            if rule["resources"] == ["serviceaccounts/token"]:
                assert rule["verbs"] == ["create"]
                place = (role["kind"], role["metadata"].get("namespace", ""))
                found[place] = rule["resourceNames"]
    return found


@pytest.mark.parametrize(
    ("values", "granted"),
    [
        ({}, {}),
        (TOKENS, {("Role", WATCHED): ["a", "b"]}),
        ({**TOKENS, "watchNamespaces": [WATCHED, OTHER]}, {("Role", WATCHED): ["a", "b"]}),
        ({**TOKENS, "watchNamespaces": [OTHER]}, {}),
        (TOKENS_OF_ALL, {("ClusterRole", ""): ["c"]}),
        ({**TOKENS_OF_ALL, "watchNamespaces": [WATCHED]}, {("Role", WATCHED): ["c"]}),
        ({**TOKENS, "rbac": {"create": False}}, {}),
    ],
    ids=["none", "named", "watched", "not watched", "everywhere", "all watched", "by hand"],
)
def test_only_tokens_of_accounts_that_the_policy_names_may_be_asked_for(
    values: Values, granted: dict[tuple[str, str], list[str]]
) -> None:
    assert tokens(**values) == granted


def test_with_watched_namespaces_the_operator_gets_nothing_cluster_wide() -> None:
    manifests = render(watchNamespaces=[WATCHED, OTHER], leaderElection={"enabled": True})
    assert not of_kind(manifests, "ClusterRoleBinding")
    for kind in ("Role", "RoleBinding"):
        namespaces = [one["metadata"]["namespace"] for one in of_kind(manifests, kind)]
        assert sorted(namespaces) == sorted([RELEASE_NAMESPACE, WATCHED, OTHER])


def test_whoever_views_a_namespace_sees_its_resources_and_editing_them_is_granted_apart() -> None:
    def aggregated(**values: Any) -> dict[str, list[str]]:
        roles = [one for one in of_kind(render(**values), "ClusterRole") if "aggregate" in str(one)]
        return {one["metadata"]["name"]: one["rules"][0]["verbs"] for one in roles}

    view = {f"{NAME}-view": ["get", "list", "watch"]}
    edit = {f"{NAME}-edit": ["create", "update", "patch", "delete", "deletecollection"]}
    assert aggregated() == view
    assert aggregated(rbac={"aggregateToEdit": True}) == view | edit
    assert aggregated(rbac={"aggregateToView": False}) == {}
    assert aggregated(crds={"enabled": False}) == {}
