"""Resources as the API server would hand them out: the CRD's defaults filled in."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CRD = ROOT / "crds" / "exchangepushconfigs.yaml"
EXAMPLE = ROOT / "examples" / "pushconfig.yaml"


# The same as SafeLoader, in C where it was built: the CRD takes pure Python half a second.
_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@lru_cache(maxsize=1)
def schema() -> Mapping[str, Any]:
    """The schema of the CRD's one version."""
    document = yaml.load(CRD.read_text(encoding="utf-8"), Loader=_FAST)  # noqa: S506 - a safe one
    version: Mapping[str, Any] = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return version


@lru_cache(maxsize=1)
def _example() -> Mapping[str, Any]:
    document: Mapping[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    return document


def resource(spec: Mapping[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """The example with parts of its spec replaced: maps are merged, None removes a field."""
    made = copy.deepcopy(dict(_example()))
    made["spec"] = merged(made["spec"], spec or {})
    made["metadata"] = {
        "name": "fabrikam",
        "namespace": "exchange",
        "uid": "11111111-0000-4000-8000-000000000001",
        "generation": 1,
        "resourceVersion": "1",
        "creationTimestamp": "2026-11-21T08:00:00Z",
        **metadata,
    }
    defaulted: dict[str, Any] = with_defaults(made, schema())
    return defaulted


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes``, map by map."""
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def with_defaults(value: Any, part: Mapping[str, Any]) -> Any:
    """Fill in defaults as a structural schema does: parents first, then what is below them."""
    if isinstance(value, dict):
        properties = part.get("properties") or {}
        for key, below in properties.items():
            if key not in value and "default" in below:
                value[key] = copy.deepcopy(below["default"])
        return {k: with_defaults(v, properties.get(k) or {}) for k, v in value.items()}
    if isinstance(value, list):
        return [with_defaults(item, part.get("items") or {}) for item in value]
    return value
