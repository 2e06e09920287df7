"""The schema of spec as JSON, for `plan -f`, which fills in defaults without an API server."""

import json
from pathlib import Path
from typing import Any

import yaml


def text(crd: Path) -> str:
    document = yaml.safe_load(crd.read_text("utf-8"))
    schema = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return json.dumps(_without_prose(schema["properties"]["spec"]), indent=1) + "\n"


def _without_prose(part: dict[str, Any]) -> dict[str, Any]:
    """Without descriptions, and without rules that only the API server evaluates."""
    kept = {k: v for k, v in part.items() if k != "description" and not k.startswith("x-")}
    if "properties" in kept:
        kept["properties"] = {k: _without_prose(v) for k, v in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = _without_prose(kept["items"])
    return kept
