"""Deletion on a real API server: Retain asks nobody, Disable undoes, and always a way out."""

from __future__ import annotations

from lab import wait
from lab.running import RunningLab

FINALIZER = "exchangepush.dev/disable"
DISABLE = {"deletionPolicy": "Disable"}
ABANDON = ("annotate", "epc", "fabrikam", "exchangepush.dev/abandon=true")


def finalizers(lab: RunningLab) -> list[str]:
    found: list[str] = lab.resource()["metadata"].get("finalizers", [])
    return found


def proxy_is_enabled(lab: RunningLab) -> bool:
    enabled: bool = lab.control.state()["exchange"]["proxy"]["enabled"]
    return enabled


def reasons(lab: RunningLab) -> set[str]:
    """Of all events of the namespace: the object is gone."""
    output = "jsonpath={.items[*].reason}"
    return set(lab.kubectl("get", "events.events.k8s.io", "-o", output).split())


def ready_with_disable(lab: RunningLab) -> None:
    lab.apply(lab.example(**DISABLE))
    lab.wait_ready()
    assert finalizers(lab) == [FINALIZER]


def test_retain_has_no_finalizer_and_goes_while_the_operator_is_down(
    running_lab: RunningLab,
) -> None:
    lab = running_lab
    lab.apply()
    lab.wait_ready()
    assert finalizers(lab) == []
    lab.stop_operator()

    lab.kubectl("delete", "epc", "fabrikam", "--timeout=10s")

    assert lab.resource() == {}
    assert proxy_is_enabled(lab)


def test_disable_waits_for_an_operator_that_is_down_and_then_undoes(
    running_lab: RunningLab,
) -> None:
    lab = running_lab
    ready_with_disable(lab)
    lab.stop_operator()
    lab.kubectl("delete", "epc", "fabrikam", "--wait=false")
    assert proxy_is_enabled(lab)

    lab.start_operator("--max-interval=1s")

    wait.until(lambda: lab.resource() == {}, 30, "the resource to go")
    assert not proxy_is_enabled(lab)
    wait.until(lambda: {"ProxyDisabled", "LeftInPlace"} <= reasons(lab), 15, "both events")


def test_retain_in_place_of_disable_takes_the_finalizer_off(running_lab: RunningLab) -> None:
    lab = running_lab
    ready_with_disable(lab)

    lab.apply(lab.example(deletionPolicy="Retain"))

    wait.until(lambda: finalizers(lab) == [], 30, "the finalizer to go")
    lab.stop_operator()
    lab.kubectl("delete", "epc", "fabrikam", "--timeout=10s")
    assert proxy_is_enabled(lab)


def test_what_cannot_be_undone_says_why_until_it_is_abandoned(running_lab: RunningLab) -> None:
    lab = running_lab
    ready_with_disable(lab)
    lab.control.post("/faults", target="exchange", name="down", value=True)

    lab.kubectl("delete", "epc", "fabrikam", "--wait=false")
    deleting = lab.wait_condition("Ready", "False", "Deleting")

    assert "exchangepush.dev/abandon=true lets it go as it is" in deleting["message"]
    lab.kubectl(*ABANDON)
    wait.until(lambda: lab.resource() == {}, 30, "the resource to go")
    lab.control.post("/faults", target="exchange", name="down", value=False)
    assert proxy_is_enabled(lab)


def test_a_suspended_resource_that_never_did_anything_goes_at_once(
    running_lab: RunningLab,
) -> None:
    lab = running_lab
    lab.apply(lab.example(**DISABLE, suspend=True))
    lab.wait_condition("Ready", "Unknown", "Suspended")

    lab.kubectl("delete", "epc", "fabrikam", "--timeout=10s")

    assert not proxy_is_enabled(lab)
