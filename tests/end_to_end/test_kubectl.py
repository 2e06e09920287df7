"""kubectl while the operator runs: no drift, no quarrel, and words that say what there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab import wait
from lab.installation import Manifest
from lab.running import RunningLab


@pytest.fixture
def manifest(running_lab: RunningLab, tmp_path: Path) -> Path:
    """examples/pushconfig.yaml as a file, applied, and Ready."""
    path = tmp_path / "pushconfig.json"
    path.write_text(json.dumps(running_lab.example()), "utf-8")
    running_lab.kubectl("apply", "-f", str(path))
    running_lab.wait_ready()
    # The pass that made it Ready told so; one more look, and nothing of ours is under way.
    look_again(running_lab)
    return path


def difference(lab: RunningLab, manifest: Path, *flags: str) -> tuple[int, str]:
    """What kubectl diff would change; it ends with 1 where there is anything."""
    diff = ("diff", *flags, "-f", str(manifest))
    done = lab.cluster.run_kubectl(*diff, namespace=lab.namespace, check=False)
    return done.returncode, done.stdout + done.stderr


def spoken_for(lab: RunningLab) -> dict[tuple[str, str], Manifest]:
    """By manager and subresource: the fields that it has set."""
    shown = ("get", "epc", "fabrikam", "-o", "json", "--show-managed-fields")
    entries = json.loads(lab.kubectl(*shown))["metadata"]["managedFields"]
    return {(one["manager"], one.get("subresource", "")): one["fieldsV1"] for one in entries}


def look_again(lab: RunningLab) -> None:
    asked = lab.reconcile_now()
    wait.until(lambda: lab.status().get("lastHandledReconcileAt") == asked, 30, "another look")


def test_kubectl_diff_sees_no_difference(running_lab: RunningLab, manifest: Path) -> None:
    assert difference(running_lab, manifest) == (0, "")


def test_applying_twice_changes_nothing(running_lab: RunningLab, manifest: Path) -> None:
    lab = running_lab
    before = lab.resource()

    assert lab.kubectl("apply", "-f", str(manifest)).strip().endswith(" unchanged")

    after = lab.resource()
    assert after == before


def test_two_managers_of_server_side_apply_agree_with_each_other_and_with_us(
    running_lab: RunningLab, manifest: Path
) -> None:
    lab = running_lab
    before = lab.resource()
    flux, argo = "kustomize-controller", "argocd-controller"
    for manager in (flux, argo):
        mode = ("--server-side", f"--field-manager={manager}")
        lab.kubectl("apply", *mode, "-f", str(manifest))
        look_again(lab)
        version = lab.resource()["metadata"]["resourceVersion"]
        lab.kubectl("apply", *mode, "-f", str(manifest))
        assert lab.resource()["metadata"]["resourceVersion"] == version
        assert difference(lab, manifest, *mode) == (0, "")

    after, fields = lab.resource(), spoken_for(lab)
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert after["spec"] == before["spec"]
    assert fields[flux, ""] == fields[argo, ""]
    assert "f:status" not in fields[flux, ""]
    ours = [set(of) for (_, subresource), of in fields.items() if subresource == "status"]
    assert ours == [{"f:status"}]


@pytest.mark.usefixtures("manifest")
def test_kubectl_wait_ignores_what_was_said_of_an_earlier_spec(running_lab: RunningLab) -> None:
    lab = running_lab
    lab.stop_operator()
    lab.apply(lab.example(interval="2h"))

    said = lab.kubectl("wait", "epc/fabrikam", "--for=condition=Ready", "--timeout=1s", check=False)
    assert "timed out" in said

    lab.start_operator("--max-interval=1s")
    lab.kubectl("wait", "epc/fabrikam", "--for=condition=Ready", "--timeout=60s")


@pytest.mark.usefixtures("manifest")
def test_kubectl_describe_tells_the_whole_story(running_lab: RunningLab) -> None:
    lab = running_lab
    wait.until(lambda: "Succeeded" in {one["reason"] for one in lab.events()}, 15, "the events")

    text = " ".join(lab.kubectl("describe", "epc", "fabrikam").split())

    for words in (
        "push notifications of fabrikam.com are proxied and verified on 2 servers",
        "Type: PrincipalCredentialReady",
        "Planned Changes:",
        "Type: SharedPrincipalDeprecated",
        "AuthServerCreated",
        "KeyCredentialAdded",
        "ProxyEnabled",
    ):
        assert words in text


def test_kubectl_describe_shows_what_would_be_changed(running_lab: RunningLab) -> None:
    lab = running_lab
    lab.apply(lab.example(managementPolicy="Observe"))
    lab.wait_condition("InSync", "False", "DriftDetected")

    text = " ".join(lab.kubectl("describe", "epc", "fabrikam").split())

    assert "Action: Create the auth server" in text
    assert "Command: Enable-PushNotificationProxy -Organization" in text
