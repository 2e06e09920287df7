"""What helm makes of the chart, by kind."""

from __future__ import annotations

from typing import Any

from chart.value_sets import RELEASE_NAMESPACE
from lab import chart
from lab.chart import Manifest


def render(**values: Any) -> list[Manifest]:
    return chart.render(values, namespace=RELEASE_NAMESPACE)


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def the(manifests: list[Manifest], kind: str) -> Manifest:
    (one,) = of_kind(manifests, kind)
    return one


def pod(manifests: list[Manifest]) -> dict[str, Any]:
    template: dict[str, Any] = the(manifests, "Deployment")["spec"]["template"]["spec"]
    return template
