"""Metrics: names, types and labels are an API; series come and go with their resources."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from exchange_push_operator.core.config import SUSPENDED
from exchange_push_operator.core.ports import Request
from exchange_push_operator.core.schedule import Requeue
from exchange_push_operator.handlers.metrics import Metrics, tallied
from exchange_push_operator.handlers.resource_metrics import CONDITIONS
from exchange_push_operator.reconcile import Outcome
from exchange_push_operator.reconcile.outcome import RESULTS, Drift

GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("metrics.json").read_text("utf-8"))
PAGE = (Path(__file__).parents[2] / "docs/metrics.md").read_text("utf-8")
KEY = ("exchange", "fabrikam")
STEADY, RETRY = Requeue("steady", 3600, 120), Requeue("retry", 3600, 120)
HISTOGRAM = re.compile(r"_(bucket|sum|count)$")


def resource(**fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"metadata": {"namespace": KEY[0], "name": KEY[1]}, "spec": {}}
    made["status"] = {
        "conditions": [
            {"type": type_, "status": "True", "reason": "Succeeded"} for type_ in CONDITIONS
        ],
        "certificate": {"notAfter": "2031-11-21T08:58:00Z"},
        "clientCertificate": {"notAfter": "2027-11-21T08:58:00Z"},
        "plannedChanges": [{"id": "01-ProxyEnabled"}],
    }
    return {**made, **fields}


def at_work() -> Metrics:
    """Everything that there is has happened once."""
    metrics = Metrics(now=lambda: 1000.0)
    metrics.watch_queue(lambda: 2, lambda: 0.5)
    metrics.watch_leader("operator", lambda: True)
    metrics.watch_is_alive()
    metrics.passed("changed", 0.3)
    metrics.requested(Request("graph", "GET servicePrincipals", "200", 0.1))
    metrics.kube_requested("get", "exchangepushconfigs", "200")
    metrics.seen(KEY, resource(), Outcome({}, STEADY))
    return metrics


def samples(metrics: Metrics) -> list[tuple[str, Sample]]:
    """Each sample with the type of its family; without `le` and what the histogram adds."""
    families = text_string_to_metric_families(metrics.render().decode())
    return [(family.type, sample) for family in families for sample in family.samples]


def of_resource(metrics: Metrics, key: tuple[str, str] = KEY) -> list[Sample]:
    labels = {"namespace": key[0], "name": key[1]}
    return [s for _, s in samples(metrics) if labels.items() <= s.labels.items()]


def value(metrics: Metrics, name: str, /, **labels: str) -> float | None:
    found = [s.value for _, s in samples(metrics) if s.name == name and s.labels == labels]
    return found[0] if found else None


def described(metrics: Metrics) -> Mapping[str, Any]:
    told = {}
    for type_, sample in samples(metrics):
        name = HISTOGRAM.sub("", sample.name) if type_ == "histogram" else sample.name
        told[name] = [type_, sorted(label for label in sample.labels if label != "le")]
    return told


def test_names_types_and_labels_are_as_promised() -> None:
    golden = {name: [type_, sorted(labels)] for name, (type_, labels) in GOLDEN.items()}
    assert described(at_work()) == golden


def test_the_page_promises_the_same() -> None:
    rows = re.findall(r"^\| `(exchange_push_\w+)` \| (\w+) \|([^|]*)\|", PAGE, re.MULTILINE)
    told = {name: [type_, re.findall(r"`(\w+)`", labels)] for name, type_, labels in rows}
    assert told == GOLDEN


def test_the_page_explains_every_result() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| [^|]+ \|$", PAGE, re.MULTILINE)) >= set(RESULTS)


def test_a_resource_has_few_series() -> None:
    assert len(of_resource(at_work())) == 37


def test_conditions_of_others_make_no_series() -> None:
    metrics, foreign = Metrics(), resource()
    foreign["status"]["conditions"] += [{"type": f"Other{n}", "status": "True"} for n in range(50)]
    metrics.seen(KEY, foreign, Outcome({}, STEADY))
    assert len(of_resource(metrics)) <= 37


def test_a_condition_has_one_status() -> None:
    metrics, seen = Metrics(), resource()
    seen["status"]["conditions"] = [{"type": "Ready", "status": "False", "reason": "Expired"}]
    metrics.seen(KEY, seen, Outcome({}, RETRY))
    shown = {
        (s.labels["type"], s.labels["status"])
        for s in of_resource(metrics)
        if s.name == "exchange_push_config_condition" and s.value
    }
    absent = {(type_, "Unknown") for type_ in CONDITIONS}
    not_there = {("Reconciling", "Unknown"), ("Stalled", "Unknown"), ("Ready", "Unknown")}
    known = {("Ready", "False"), ("Reconciling", "False"), ("Stalled", "False")}
    assert shown == absent - not_there | known


@pytest.mark.parametrize(
    ("reason", "waits"),
    [("AwaitingApproval", 1), ("OutsideWindow", 1), ("DriftDetected", 0), ("ChangeFailed", 0)],
)
def test_what_only_waits_for_leave_is_told_from_what_does_not(reason: str, waits: int) -> None:
    metrics, seen = Metrics(), resource()
    seen["status"]["conditions"] = [{"type": "InSync", "status": "False", "reason": reason}]
    metrics.seen(KEY, seen, Outcome({}, STEADY))
    name = "exchange_push_config_waits_for_leave"
    assert value(metrics, name, namespace=KEY[0], name=KEY[1]) == waits


def test_a_resource_that_is_gone_has_no_series() -> None:
    metrics = at_work()
    metrics.seen(("exchange", "contoso"), resource(), Outcome({}, STEADY))
    metrics.forget(KEY)
    assert of_resource(metrics) == []
    assert len(of_resource(metrics, ("exchange", "contoso"))) == 37


@pytest.mark.parametrize(
    ("fields", "suspended"),
    [
        ({"spec": {"suspend": True}}, 1),
        ({"spec": {"suspend": False}}, 0),
        ({"metadata": {"annotations": {SUSPENDED: "true"}}}, 1),
        ({"metadata": {"annotations": {SUSPENDED: "false"}}}, 0),
        ({"metadata": {}}, 0),
    ],
)
def test_a_suspended_resource_can_be_told_from_others(
    fields: dict[str, Any], suspended: float
) -> None:
    metrics = Metrics()
    metrics.seen(KEY, resource(**fields), Outcome({}, STEADY))
    labels = {"namespace": KEY[0], "name": KEY[1]}
    assert value(metrics, "exchange_push_config_suspended", **labels) == suspended


def test_a_success_stays_known_while_passes_fail() -> None:
    now = [1000.0]
    metrics = Metrics(now=lambda: now[0])
    labels = {"namespace": KEY[0], "name": KEY[1]}
    name = "exchange_push_config_last_success_timestamp_seconds"
    metrics.seen(KEY, resource(), Outcome({}, RETRY))
    assert value(metrics, name, **labels) is None
    metrics.seen(KEY, resource(), Outcome({}, STEADY))
    now[0] = 2000.0
    metrics.seen(KEY, resource(), Outcome({}, RETRY))
    assert value(metrics, name, **labels) == 1000.0


def test_the_interval_is_the_one_that_counts() -> None:
    metrics, name = Metrics(), "exchange_push_config_interval_seconds"
    labels = {"namespace": KEY[0], "name": KEY[1]}
    metrics.seen(KEY, resource(), Outcome({}, STEADY), 900)
    assert value(metrics, name, **labels) == 900
    metrics.seen(KEY, resource(), Outcome({}, STEADY), 7200)
    assert value(metrics, name, **labels) == 3600


def test_whether_this_replica_leads_is_asked_at_every_scrape() -> None:
    metrics, leads = Metrics(), [False]
    metrics.watch_leader("operator", lambda: leads[0])
    assert value(metrics, "exchange_push_leader", lease="operator") == 0
    leads[0] = True
    assert value(metrics, "exchange_push_leader", lease="operator") == 1


def test_each_certificate_has_an_end_of_its_own() -> None:
    labels = {"namespace": KEY[0], "name": KEY[1]}
    name = "exchange_push_config_{}_not_after_timestamp_seconds"
    kinds = ("certificate", "client_certificate")
    ends = [value(at_work(), name.format(kind), **labels) for kind in kinds]
    assert ends == [1953017880, 1826787480]


def test_a_resource_without_a_status_tells_no_certificate() -> None:
    metrics = Metrics()
    metrics.seen(KEY, resource(status={}), Outcome({}, RETRY))
    assert not [s for s in of_resource(metrics) if "certificate" in s.name]


def test_drift_is_counted_by_component() -> None:
    metrics, name = Metrics(), "exchange_push_drift_{}_total"
    drift = Drift(detected=("ProxyReady", "AuthServerReady"), corrected=("ProxyReady",))
    metrics.seen(KEY, resource(), Outcome({}, STEADY, drift=drift))
    assert value(metrics, name.format("detected"), component="AuthServerReady") == 1
    assert value(metrics, name.format("corrected"), component="ProxyReady") == 1
    assert value(metrics, name.format("corrected"), component="AuthServerReady") == 0


def test_a_request_is_counted_for_the_pass_that_makes_it() -> None:
    metrics, request = Metrics(), Request("exchange", "Look", "ok", 0.1)
    with tallied() as first:
        metrics.requested(request)
        metrics.requested(request)
    metrics.requested(request)
    assert first.requests == 2


@pytest.mark.parametrize(
    ("outcome", "wrote", "result"),
    [
        (Outcome({}, STEADY), False, "noop"),
        (Outcome({}, STEADY), True, "success"),
        (Outcome({}, STEADY, changes=("x",)), True, "changed"),
        (Outcome({}, RETRY, changes=("x",)), True, "retry"),
        (Outcome({}, Requeue("stalled", 1, 1)), True, "stalled"),
    ],
)
def test_the_result_of_a_pass_is_one_word(outcome: Outcome, wrote: bool, result: str) -> None:  # noqa: FBT001 - a table's column
    assert outcome.result(wrote=wrote) == result
