"""The chart, rendered by the real helm."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from lab.binaries import helm_binary
from lab.resources import ROOT

NAME = "exchange-push-operator"
CHART = ROOT / "helm" / NAME

Manifest: TypeAlias = dict[str, Any]


def helm(
    verb: str,
    values: Mapping[str, Any],
    *more: str,
    namespace: str = NAME,
    chart: Path = CHART,
    binary: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run helm on the chart with these values; the release is called like the chart."""
    release = [] if verb == "lint" else [NAME]
    command = [str(binary or helm_binary()), verb, *release, str(chart), "--values", "-"]
    return subprocess.run(
        [*command, "--namespace", namespace, *more],
        env={key: value for key, value in os.environ.items() if key != "KUBECONFIG"},
        input=json.dumps(values),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def render(
    values: Mapping[str, Any], *more: str, namespace: str = NAME, chart: Path = CHART
) -> list[Manifest]:
    """What a release with these values consists of; AssertionError with helm's words."""
    done = helm("template", values, *more, namespace=namespace, chart=chart)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]
