"""House rules of the schema, read from the YAML alone: no API server needed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
CRD: dict[str, Any] = yaml.safe_load((ROOT / "crds" / "exchangepushconfigs.yaml").read_text())
VERSION: dict[str, Any] = CRD["spec"]["versions"][0]
SCHEMA: dict[str, Any] = VERSION["schema"]["openAPIV3Schema"]
CONDITION_TYPES = 10  # eight, and Reconciling and Stalled


@dataclass(frozen=True)
class Field:
    """One schema somewhere in the tree."""

    path: str
    node: dict[str, Any]
    in_list: bool


def fields(node: dict[str, Any], path: str = "", *, in_list: bool = False) -> Iterator[Field]:
    yield Field(path or "root", node, in_list)
    for name, child in node.get("properties", {}).items():
        yield from fields(child, f"{path}.{name}", in_list=in_list)
    if "items" in node:
        yield from fields(node["items"], f"{path}[]", in_list=True)


ALL = [field for field in fields(SCHEMA) if field.path != ".metadata"]  # the API server's own
OF_SPEC = [field for field in ALL if field.path.startswith(".spec")]
LIMITS = {
    "string": {"maxLength", "enum"},
    "array": {"maxItems"},
    "integer": {"minimum"},
    "object": {"properties"},  # no free maps
}


def has_no_limit(field: Field) -> bool:
    limits = LIMITS.get(field.node["type"])
    return limits is not None and limits.isdisjoint(field.node)


def has_no_prose(field: Field) -> bool:
    text = field.node.get("description", "")
    return not (text[:1].isupper() and text.endswith(".")) or "  " in text


def is_open(field: Field) -> bool:
    return not field.node.keys().isdisjoint(
        {"nullable", "additionalProperties", "x-kubernetes-preserve-unknown-fields"}
    )


def has_a_default_in_a_list_item(field: Field) -> bool:
    return field.in_list and "default" in field.node


def is_a_list_that_hides_how_it_is_merged(field: Field) -> bool:
    return field.node["type"] == "array" and "x-kubernetes-list-type" not in field.node


def hides_its_default(field: Field) -> bool:
    default = field.node.get("default")
    return isinstance(default, str) and default not in field.node["description"]


def hides_the_default_of_a_child(field: Field) -> bool:
    children = field.node.get("properties", {}).items()
    defaults = {name: child["default"] for name, child in children if "default" in child}
    told: dict[str, Any] = field.node.get("default", defaults)
    return field.node["type"] == "object" and told != defaults


def takes_any_string(field: Field) -> bool:
    return field.node["type"] == "string" and field.node.keys().isdisjoint({"pattern", "enum"})


@pytest.mark.parametrize(
    "broken",
    [
        has_no_limit,
        has_no_prose,
        is_open,
        has_a_default_in_a_list_item,
        is_a_list_that_hides_how_it_is_merged,
    ],
)
def test_no_field_breaks_a_house_rule(broken: Callable[[Field], bool]) -> None:
    assert [field.path for field in ALL if broken(field)] == []


@pytest.mark.parametrize(
    "broken", [hides_its_default, hides_the_default_of_a_child, takes_any_string]
)
def test_no_field_of_spec_breaks_a_house_rule(broken: Callable[[Field], bool]) -> None:
    assert [field.path for field in OF_SPEC if broken(field)] == []


def test_every_rule_names_the_field_that_it_is_about() -> None:
    for field in OF_SPEC:
        for rule in field.node.get("x-kubernetes-validations", []):
            name = f"{field.path}{rule.get('fieldPath', '')}".removeprefix(".spec").lstrip(".")
            assert name in rule["message"]


def test_what_the_operator_computes_has_no_default_in_the_schema() -> None:
    computed = {
        ".spec.exchange.connection.port",
        ".spec.authServer.metadataUrl",
        ".spec.proxy.organization",
        ".spec.proxy.uri",
    }
    found = {field.path: field.node for field in ALL if field.path in computed}
    assert found.keys() == computed
    assert all("default" not in node for node in found.values())


def test_conditions_follow_the_schema_of_kubernetes() -> None:
    conditions = SCHEMA["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert conditions["maxItems"] >= CONDITION_TYPES
    of_one = conditions["items"]["properties"]
    assert of_one["status"]["enum"] == ["True", "False", "Unknown"]
    assert (of_one["reason"]["minLength"], of_one["reason"]["maxLength"]) == (1, 1024)
    assert of_one["message"]["maxLength"] == 32768


def test_a_moment_in_the_future_is_printed_as_a_string() -> None:
    columns = {c["name"]: c["type"] for c in VERSION["additionalPrinterColumns"]}
    assert columns["Cert-Expires"] == "string"
    assert [name for name, kind in columns.items() if kind == "date"] == ["Age"]


def unnamed(schema: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    """Paths of the schema that a value does not have."""
    if schema["type"] == "array":
        yield from unnamed(schema["items"], value[0], f"{path}[]")
    for name, child in schema.get("properties", {}).items():
        if name in value:
            yield from unnamed(child, value[name], f"{path}.{name}")
        else:
            yield f"{path}.{name}"


def test_the_full_example_names_every_field() -> None:
    full = yaml.safe_load((EXAMPLES / "pushconfig-full.yaml").read_text())
    missing = list(unnamed(SCHEMA["properties"]["spec"], full["spec"], "spec"))
    excluded = ("clientSecret", "workloadIdentity")  # by clientCertificate
    assert missing == [f"spec.tenant.credentials.{name}" for name in excluded]


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_example_writes_null(example: Path) -> None:
    events = yaml.parse(example.read_text(), Loader=yaml.SafeLoader)
    scalars = {event.value for event in events if isinstance(event, yaml.ScalarEvent)}
    assert scalars.isdisjoint({"null", "~", ""})
