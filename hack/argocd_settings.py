"""The settings of Argo CD for our kind, from the files under argocd/resource_customizations."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

HERE = Path("argocd")
KIND = HERE / "resource_customizations/exchangepush.dev/ExchangePushConfig"
ACTIONS = ("reconcile", "suspend", "resume")

_HEADER = "# Made by `make render` from the Lua files beside it; do not edit.\n# {use}\n"
_CONFIG_MAP = (
    "kubectl apply --server-side --field-manager=exchange-push-operator -n argocd -f {path}"
)
_VALUES = "Values for argo-helm's chart: helm upgrade argocd argo/argo-cd --reuse-values -f {path}"


def copies() -> Iterator[tuple[Path, str]]:
    """A part of ConfigMap argocd-cm, and the same as values of argo-helm's chart."""
    metadata = {"name": "argocd-cm", "labels": {"app.kubernetes.io/part-of": "argocd"}}
    head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    yield _file("argocd-cm.yaml", _CONFIG_MAP, {**head, "data": settings()})
    yield _file("argo-helm-values.yaml", _VALUES, {"configs": {"cm": settings()}})


def settings() -> Mapping[str, str]:
    """Keys and values of ConfigMap argocd-cm."""
    actions = {
        "discovery.lua": _lua("actions/discovery.lua"),
        "definitions": [
            {"name": name, "action.lua": _lua(f"actions/{name}/action.lua")} for name in ACTIONS
        ],
    }
    # What leaves health as it was need not refresh the Application; a change of health always does.
    ignored = ["/status", "/metadata/annotations/exchangepush.dev~1reconcile-requested-at"]
    parts = {
        "health": _lua("health.lua"),
        "actions": _dump(actions),
        "ignoreResourceUpdates": _dump({"jsonPointers": ignored}),
    }
    kind = "exchangepush.dev_ExchangePushConfig"
    return {f"resource.customizations.{part}.{kind}": text for part, text in parts.items()}


def _file(name: str, use: str, content: Mapping[str, Any]) -> tuple[Path, str]:
    path = HERE / name
    return path, _HEADER.format(use=use.format(path=path)) + _dump(content)


def _lua(name: str) -> str:
    return (KIND / name).read_text("utf-8")


class _Dumper(yaml.SafeDumper):
    """Texts of several lines are shown as such."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _dump(content: Mapping[str, Any]) -> str:
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=1000)
