"""Alerts, runbooks and dashboard: judged by promtool, and held to the metrics that there are."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import chart
from lab.binaries import promtool_binary
from lab.resources import ROOT

pytestmark = pytest.mark.lab

TESTS = Path(__file__).with_name("alerts.yaml")
METRICS: dict[str, Any] = json.loads((ROOT / "tests/handlers/metrics.json").read_text("utf-8"))
RUNBOOKS = ROOT / "docs" / "runbooks"
NAME = re.compile(r"\bexchange_push_\w+")
MONITORING = {"prometheusRule": {"enabled": True}, "grafanaDashboard": {"enabled": True}}


def rendered(kind: str, **values: Any) -> Any:
    manifests = chart.render({**MONITORING, **values}, namespace="operator")
    return next(
        one
        for one in manifests
        if one["kind"] == kind and not one["metadata"]["name"].endswith("-policy")
    )


def rules(**values: Any) -> list[dict[str, Any]]:
    groups = rendered("PrometheusRule", **values)["spec"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def promtool(*words: str) -> str:
    done = subprocess.run(
        [str(promtool_binary()), *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(rendered("PrometheusRule")["spec"]), encoding="utf-8")
    return path


def test_prometheus_takes_the_rules(rules_file: Path) -> None:
    assert "14 rules found" in promtool("check", "rules", "--lint-fatal", str(rules_file))


def test_each_alert_fires_when_it_should_and_none_for_a_suspended_resource(
    rules_file: Path,
) -> None:
    tests = rules_file.with_name("tests.yaml")
    tests.write_text(TESTS.read_text("utf-8").replace("RULES", str(rules_file)), encoding="utf-8")
    promtool("test", "rules", str(tests))


def test_each_alert_has_a_test_that_sees_it_fire() -> None:
    document = yaml.safe_load(TESTS.read_text("utf-8"))
    fired = {
        (one["alertname"], alert["exp_labels"]["severity"])
        for story in document["tests"]
        for one in story["alert_rule_test"]
        for alert in one["exp_alerts"]
    }
    assert fired == {(rule["alert"], rule["labels"]["severity"]) for rule in rules()}


def test_each_alert_has_a_runbook_and_each_runbook_an_alert() -> None:
    alerts = {rule["alert"] for rule in rules()}
    pages = {path.stem for path in RUNBOOKS.glob("ExchangePush*.md")}
    assert pages == alerts
    index = (RUNBOOKS / "README.md").read_text("utf-8")
    for alert in alerts:
        assert f"[{alert}]({alert}.md)" in index
        text = (RUNBOOKS / f"{alert}.md").read_text("utf-8")
        assert text.startswith(f"# {alert}\n")
        assert [
            part for part in ("What it means", "Look", "Do", "Then") if f"**{part}.**" not in text
        ] == []


def test_the_installer_chooses_labels_runbooks_and_what_to_leave_out() -> None:
    chosen = rules(
        prometheusRule={
            "enabled": True,
            "alertLabels": {"severity": "info", "team": "mail"},
            "disabledAlerts": ["ExchangePushCertificateExpiring"],
            "runbookUrl": "https://docs.fabrikam.com/runbooks/{alert}/?for={alert}",
        }
    )
    assert len(chosen) == len(rules()) - 2
    assert {tuple(rule["labels"].items()) for rule in chosen} == {
        (("severity", "info"), ("team", "mail"))
    }
    alert = "ExchangePushConfigNotReady"
    page = f"https://docs.fabrikam.com/runbooks/{alert}/?for={alert}"
    assert chosen[0]["annotations"]["runbook_url"] == page


def test_by_default_a_runbook_is_named_by_its_file() -> None:
    paths = {rule["annotations"]["runbook_url"] for rule in rules()}
    assert {path for path in paths if not (ROOT / path).is_file()} == set()


def test_the_schema_knows_every_alert() -> None:
    schema = json.loads((chart.CHART / "values.schema.json").read_text("utf-8"))
    assert set(schema["definitions"]["alert"]["enum"]) == {rule["alert"] for rule in rules()}


def queries() -> Iterator[str]:
    """Every query of rules and dashboard."""
    yield from (rule["expr"] for rule in rules())
    dashboard = json.loads(*rendered("ConfigMap")["data"].values())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for variable in dashboard["templating"]["list"]:
        yield variable["query"]


def test_alerts_and_dashboard_ask_for_metrics_that_exist() -> None:
    known = set(METRICS)
    for name, (kind, _) in METRICS.items():
        if kind == "histogram":
            known |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    asked = {name for query in queries() for name in NAME.findall(query)}
    assert asked - known == set()
    assert len(asked) >= 15


def test_alerts_and_dashboard_choose_by_labels_that_exist() -> None:
    targets = {"namespace", "pod"}  # Prometheus adds them
    for query in queries():
        for name, choice in re.findall(r"(exchange_push_\w+)\{([^}]*)\}", query):
            labels = set(re.findall(r"(\w+)(?==~|=|!=|!~)", re.sub(r'"[^"]*"', "", choice)))
            metric = re.sub(r"_(bucket|sum|count)$", "", name)
            assert labels <= {*METRICS[metric][1], *targets}, query


def test_every_panel_says_what_it_shows_and_none_covers_another() -> None:
    dashboard = json.loads(*rendered("ConfigMap")["data"].values())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert all(panel["description"] and panel["targets"] for panel in panels)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)


def test_monitors_keep_the_namespace_of_a_resource() -> None:
    """Without honorLabels Prometheus would put the operator's own namespace in its place."""
    for kind, endpoints in (("PodMonitor", "podMetricsEndpoints"), ("ServiceMonitor", "endpoints")):
        value = kind[0].lower() + kind[1:]
        monitor = rendered(kind, metrics={value: {"enabled": True}})
        (endpoint,) = monitor["spec"][endpoints]
        assert endpoint == {"port": "http", "path": "/metrics", "honorLabels": True}


@pytest.mark.parametrize(
    ("kind", "endpoints"), [("PodMonitor", "podMetricsEndpoints"), ("ServiceMonitor", "endpoints")]
)
def test_how_a_monitor_scrapes_is_the_installers(kind: str, endpoints: str) -> None:
    chosen = {
        "interval": "1m",
        "scrapeTimeout": "20s",
        "relabelings": [{"targetLabel": "cluster", "replacement": "mail"}],
        "metricRelabelings": [{"regex": "pod", "action": "labeldrop"}],
    }
    metrics = {kind[0].lower() + kind[1:]: {"enabled": True, **chosen}}
    (endpoint,) = rendered(kind, metrics=metrics)["spec"][endpoints]
    assert endpoint.items() >= chosen.items()


def test_where_the_kinds_are_unknown_the_installer_may_leave_them_out() -> None:
    values = {**MONITORING, "renderMode": "skipIfMissing"}
    kinds = {one["kind"] for one in chart.render(values)}
    assert "PrometheusRule" not in kinds
    known = chart.render(values, "--api-versions", "monitoring.coreos.com/v1/PrometheusRule")
    assert "PrometheusRule" in {one["kind"] for one in known}
