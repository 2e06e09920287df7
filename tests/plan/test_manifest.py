"""A file is completed as the API server would, and what the CRD does not allow is named."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from crd_lab import EXAMPLE, EXAMPLES
from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.core.parse import parse
from exchange_push_operator.plan.manifest import read_manifest
from lab.resources import merged, resource


def written(path: Path, *documents: Any) -> Path:
    file = path / "pushconfig.yaml"
    file.write_text(yaml.safe_dump_all(documents), "utf-8")
    return file


@pytest.mark.parametrize("example", ["pushconfig.yaml", "pushconfig-full.yaml"])
def test_an_example_gets_the_defaults_of_the_api_server(example: str) -> None:
    read = read_manifest(EXAMPLES / example)
    document = yaml.safe_load((EXAMPLES / example).read_text("utf-8"))
    assert read["spec"] == resource(document["spec"] | absent(document["spec"]))["spec"]
    assert parse(read).name == document["metadata"]["name"]


def absent(spec: dict[str, Any]) -> dict[str, Any]:
    """What the small example has and this one has not."""
    return {name: None for name in EXAMPLE["spec"] if name not in spec}


def test_a_date_without_quotes_is_text_as_for_kubectl(tmp_path: Path) -> None:
    text = (EXAMPLES / "pushconfig-full.yaml").read_text("utf-8")
    file = tmp_path / "unquoted.yaml"
    file.write_text(text.replace('"2020-01-01T00:00:00Z"', "2020-01-01T00:00:00Z"), "utf-8")
    assert read_manifest(file)["spec"]["certificate"]["rotateAfter"] == "2020-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"interval": 5}, "spec.interval: must be of type string"),
        ({"suspend": "true"}, "spec.suspend: must be of type boolean"),
        ({"managementPolicy": "Mange"}, "spec.managementPolicy: 'Mange' is not one of"),
        ({"mangementPolicy": "Observe"}, "spec.mangementPolicy: there is no such field"),
        ({"principal": {"target": None}}, "spec.principal.target: is missing"),
        ({"exchange": {"servers": []}}, "spec.exchange.servers: [] is out of bounds (1 to 64)"),
        ({"exchange": {"servers": [{}]}}, "spec.exchange.servers[0].name: is missing"),
        ({"exchange": {"connection": {"port": 0}}}, "spec.exchange.connection.port: 0 is out of"),
        ({"tenant": {"domain": "no domain"}}, "spec.tenant.domain: 'no domain' does not match"),
        ({"authServer": {"name": "a\n"}}, r"spec.authServer.name: 'a\n' does not match"),
    ],
)
def test_what_the_crd_does_not_allow_is_named(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    document = copy.deepcopy(EXAMPLE)
    document["spec"] = merged(document["spec"], change)
    file = written(tmp_path, document)
    with pytest.raises(SpecError) as caught:
        read_manifest(file)
    assert str(caught.value).startswith(f"{file}: {told}")


def test_one_resource_is_found_among_others_of_its_file(tmp_path: Path) -> None:
    other = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "exchange"}}
    assert read_manifest(written(tmp_path, other, EXAMPLE))["metadata"]["name"] == "fabrikam"
    with pytest.raises(SpecError, match="holds 2 resources"):
        read_manifest(written(tmp_path, EXAMPLE, EXAMPLE))
    with pytest.raises(SpecError, match="holds no resource"):
        read_manifest(written(tmp_path, other))


def test_the_namespace_is_the_files_else_the_one_that_was_named(tmp_path: Path) -> None:
    bare = EXAMPLE | {"metadata": {"name": "fabrikam"}}
    assert read_manifest(written(tmp_path, bare), "exchange")["metadata"]["namespace"] == "exchange"
    assert read_manifest(written(tmp_path, bare), None, "usual")["metadata"]["namespace"] == "usual"
    with pytest.raises(SpecError, match=r"metadata.namespace: exchange is not the other"):
        read_manifest(written(tmp_path, EXAMPLE), "other")


@pytest.mark.parametrize("field", ["name", "namespace"])
@pytest.mark.parametrize("name", ["../../../../api/v1/namespaces/a/secrets/b", "a?b", "A", "a\n"])
def test_a_name_that_kubernetes_would_not_take_becomes_part_of_no_address(
    tmp_path: Path, name: str, field: str
) -> None:
    document = {**EXAMPLE, "metadata": {**EXAMPLE["metadata"], field: name}}
    with pytest.raises(SpecError, match=rf"metadata\.{field}: .* is not "):
        read_manifest(written(tmp_path, document))


@pytest.mark.parametrize("text", ["a: [", "!!int ''", "\x00", "[" * 1500])
def test_what_is_no_yaml_is_said_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pushconfig.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(SpecError) as caught:
        read_manifest(file)
    assert "\n" not in str(caught.value)


def test_a_field_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    document = {**EXAMPLE, "spec": {**EXAMPLE["spec"], "colour": "red"}}
    with pytest.raises(SpecError, match=r"spec\.colour: there is no such field; spec has .*tenant"):
        read_manifest(written(tmp_path, document))


def test_what_is_no_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "pushconfig.yaml"
    file.write_text("spec:\n  a: [\n")
    with pytest.raises(SpecError, match=r"is not YAML: line 3, column 1: expected"):
        read_manifest(file)
