"""Two resources of one Exchange organisation, in two namespaces of a real API server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from end_to_end.looking import exchange_changes
from lab.installation import Manifest
from lab.running import RunningLab

OTHER = "exchange-two"
WAIT = "--timeout=60s"


@pytest.fixture
def two(running_lab: RunningLab) -> Iterator[RunningLab]:
    """A second namespace with the same Secrets, and a policy that allows the same in both."""
    lab = running_lab
    lab.cluster.create_namespace(OTHER)
    policy = lab.installation.policy()
    allowed = policy["namespaces"][lab.namespace]
    lab.write_policy({"namespaces": {lab.namespace: allowed, OTHER: allowed}})
    secrets = (lab.account_secret(), lab.client_secret())
    lab.installation.apply(*(_moved(one) for one in secrets))
    yield lab
    in_other(lab, "delete", "epc", "--all", WAIT)


def _moved(manifest: Manifest) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": OTHER}}


def in_other(lab: RunningLab, *args: str, stdin: str | None = None) -> str:
    return lab.cluster.run_kubectl(*args, namespace=OTHER, input=stdin).stdout


def apply_other(lab: RunningLab, **spec: str) -> None:
    manifest = json.dumps(_moved(lab.example("younger", **spec)))
    in_other(lab, "apply", "-f", "-", stdin=manifest)


def wait_other(lab: RunningLab, condition: str) -> None:
    in_other(lab, "wait", "epc/younger", f"--for=condition={condition}", WAIT)


def test_the_younger_stalls_changes_nothing_and_takes_over_when_the_older_goes(
    two: RunningLab,
) -> None:
    lab = two
    lab.apply()
    lab.wait_ready()
    made = exchange_changes(lab)

    apply_other(lab)
    wait_other(lab, "Stalled")
    said = json.loads(in_other(lab, "get", "epc", "younger", "-o", "json"))["status"]
    ready = next(one for one in said["conditions"] if one["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ConflictingConfig")
    assert f"{lab.namespace}/fabrikam is older" in ready["message"]
    assert exchange_changes(lab) == made
    assert lab.condition("Ready")["status"] == "True"

    lab.control.cmdlet("Disable-PushNotificationProxy", Confirm=False)
    lab.kubectl("delete", "epc", "fabrikam", "--timeout=20s")
    wait_other(lab, "Ready")
    assert lab.control.state()["exchange"]["proxy"]["enabled"]


def test_the_loser_with_disable_is_deleted_without_touching_anything(two: RunningLab) -> None:
    lab = two
    lab.apply()
    lab.wait_ready()
    apply_other(lab, deletionPolicy="Disable")
    wait_other(lab, "Stalled")
    made = exchange_changes(lab)

    in_other(lab, "delete", "epc", "younger", "--timeout=20s")

    assert exchange_changes(lab) == made
    assert lab.condition("Ready")["status"] == "True"
