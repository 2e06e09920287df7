"""What the running operator tells of itself: its audit, its lines, its metrics."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from end_to_end.looking import exchange_changes
from lab import wait
from lab.running import RunningLab

pytestmark = pytest.mark.lab


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def value(text: str, name: str, /, **labels: str) -> float | None:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return None


def test_what_was_done_stands_in_the_audit_and_in_the_metrics(running_lab: RunningLab) -> None:
    lab, began = running_lab, len(running_lab.operator_log)
    here = {"namespace": lab.installation.names.namespace, "name": "fabrikam"}
    lab.apply()
    lab.wait_ready()

    written = [line for line in lines(lab.operator_log[began:]) if line.get("audit")]
    assert {line["outcome"] for line in written} == {"succeeded"}
    assert [line["cmdlet"] for line in written if "cmdlet" in line] == exchange_changes(lab)
    assert [line["method"] for line in written if "method" in line] == ["PATCH"]
    assert {line["object"] for line in written} == {"/".join(here.values())}

    def ready() -> bool:
        labels = {**here, "type": "Ready", "status": "True"}
        return value(metrics(lab), "exchange_push_config_condition", **labels) == 1

    wait.until(ready, 15, "the metrics to say so")
    assert value(metrics(lab), "exchange_push_reconcile_total", result="changed")
    for endpoint in ("exchange", "graph", "entra"):
        assert value(metrics(lab), "exchange_push_remote_requests_total", endpoint=endpoint)
    assert value(metrics(lab), "exchange_push_kube_requests_total", resource="secrets", verb="get")

    assert value(metrics(lab), "exchange_push_config_interval_seconds", **here) == 1  # the cap
    ends = "exchange_push_config_client_certificate_not_after_timestamp_seconds"
    assert (value(metrics(lab), ends, **here) or 0) > datetime.now(UTC).timestamp()

    lab.kubectl("delete", "epc/fabrikam")
    gone = "exchange_push_config_suspended"
    wait.until(lambda: value(metrics(lab), gone, **here) is None, 15, "its series to vanish")


def metrics(lab: RunningLab) -> str:
    status, text = lab.operator.health("/metrics")
    assert status == 200
    return text
