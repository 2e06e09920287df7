"""The operator as the chart starts it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab import chart

# Files and the port are the lab's own.
_OURS = ("run", "--policy", "--ca-file", "--health-address", "--log-format")


def flags(values: Mapping[str, Any], namespace: str, folder: Path = chart.CHART) -> list[str]:
    """The flags of the Deployment that a release with these values has."""
    rendered = chart.render(values, namespace=namespace, chart=folder)
    (deployment,) = (one for one in rendered if one["kind"] == "Deployment")
    args: list[str] = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    return [one for one in args if not one.startswith(_OURS)]
