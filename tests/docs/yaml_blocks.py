"""The YAML in README and docs, and what each block is a part of."""

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from crd_lab import CRD, ROOT

VALUES: Mapping[str, Any] = yaml.safe_load(
    (ROOT / "helm" / "exchange-push-operator" / "values.yaml").read_text("utf-8")
)
_BLOCK = re.compile(r"^( *)```yaml\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One block; ``where`` is for people."""

    where: str
    text: str

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The parsed documents."""
        return [one for one in yaml.safe_load_all(self.text) if one]


def blocks() -> Iterator[Block]:
    """All of README, CONTRIBUTING and docs."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for page in pages:
        text = page.read_text("utf-8")
        for found in _BLOCK.finditer(text):
            line = text[: found.start()].count("\n") + 1
            yield Block(f"{page.relative_to(ROOT)}:{line}", textwrap.dedent(found[2]))


def kind_of(document: Mapping[str, Any]) -> str:
    """``object``, ``values`` of the chart, ``policy``, or ``part`` of an ExchangePushConfig."""
    if "kind" in document:
        return "object"
    if set(document) == {"namespaces"}:
        return "policy"
    return "values" if set(document) <= set(VALUES) else "part"


def completed(part: Mapping[str, Any], example: Mapping[str, Any]) -> dict[str, Any]:
    """The example with a part of a resource put where the schema has it."""
    path = [] if set(part) <= {"spec", "metadata"} else _place(part)
    inside: Mapping[str, Any] = part
    for name in reversed(path):
        inside = {name: inside}
    return merged(example, inside)


def _place(part: Mapping[str, Any]) -> list[str]:
    schema = yaml.safe_load(CRD.read_text("utf-8"))["spec"]["versions"][0]["schema"]
    spec = schema["openAPIV3Schema"]["properties"]["spec"]
    found = [path for path, names in _objects(["spec"], spec) if set(part) <= names]
    if len(found) != 1:
        raise AssertionError(f"{list(part)} is no part of a resource, or of several: {found}")
    return found[0]


def _objects(path: list[str], field: Mapping[str, Any]) -> Iterator[tuple[list[str], set[str]]]:
    properties = field.get("properties", {})
    if properties:
        yield path, set(properties)
    for name, child in properties.items():
        yield from _objects([*path, name], child)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid over ``base``; of alternatives the one that is given stays."""
    result = dict(base)
    for name, value in over.items():
        both = isinstance(value, Mapping) and isinstance(base.get(name), Mapping)
        alternatives = name == "credentials" and both
        result[name] = value if alternatives or not both else merged(base[name], value)
    return result
