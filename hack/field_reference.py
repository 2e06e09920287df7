"""docs/fields.md: every field of the resource as the schema in crds/ has it, for reading."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

HEAD = """\
# Every field

Made by `make render` from [crds/exchangepushconfigs.yaml](../crds/exchangepushconfigs.yaml): do \
not edit. `kubectl explain epc.spec` has the same text. How the fields work together is in the \
[reference](reference.md).
"""
_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "pattern": "matches `{}`",
}


def page(crd: Path) -> str:
    """The whole page as Markdown."""
    schema = yaml.safe_load(crd.read_text("utf-8"))["spec"]["versions"][0]["schema"]
    root = schema["openAPIV3Schema"]["properties"]
    parts = [HEAD]
    for name in ("spec", "status"):
        parts += [f"\n## {name}\n"]
        for path, field, required in _fields(name, root[name], required=True):
            parts.append(_section(path, field, required=required))
    return "".join(parts)


def _fields(
    path: str, field: Mapping[str, Any], *, required: bool
) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    yield path, field, required
    items = field.get("items")
    within = items or field
    for name, child in within.get("properties", {}).items():
        inside = f"{path}[].{name}" if items else f"{path}.{name}"
        yield from _fields(inside, child, required=name in within.get("required", ()))


def _section(path: str, field: Mapping[str, Any], *, required: bool) -> str:
    told = [_type(field)]
    if required and path.startswith("spec."):
        told.append("required")
    if "default" in field:
        told.append(f"default `{_literal(field['default'])}`")
    if "enum" in field:
        told.append("one of " + ", ".join(f"`{one}`" for one in field["enum"]))
    told += [text.format(field[key]) for key, text in _LIMITS.items() if key in field]
    lines = [f"\n### `{path}`\n", f"*{'; '.join(told)}*\n", _plain(field.get("description", ""))]
    rules = [f"* {_plain(rule['message'])}" for rule in _rules(field)]
    if rules:
        lines += ["\nRefused by the API server:\n", *rules]
    return "\n".join(line for line in lines if line) + "\n"


def _rules(field: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    own: list[Mapping[str, Any]] = field.get("x-kubernetes-validations", [])
    return [*own, *field.get("items", {}).get("x-kubernetes-validations", [])]


def _type(field: Mapping[str, Any]) -> str:
    if "items" in field:
        return f"list of {field['items']['type']}s"
    kind: str = field.get("format") or field["type"]
    return kind


def _literal(value: object) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...")


def _plain(text: str) -> str:
    return " ".join(text.split())
