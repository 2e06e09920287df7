"""A resource from a file, as the API server would store it: checked, and with its defaults.

The rules that the API server evaluates (CEL) are not evaluated here; what would lead to a wrong
plan is refused by ``core.parse`` as well.
"""

from __future__ import annotations

import copy
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.config import GROUP, VERSION
from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.setting_values import namespace as namespace_name
from exchange_push_operator.setting_values import object_name

_KIND = "ExchangePushConfig"
_NOT_STORED_YET = {"uid": "", "generation": 1, "creationTimestamp": ""}
_TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
# What PyYAML lets through: !!int "", !!bool x, and a thousand open brackets.
_BAD_VALUE = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """Dates stay text, as in the JSON that kubectl makes of a file."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the class it comes from
        first: [(tag, pattern) for tag, pattern in found if tag != _TIMESTAMP]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_manifest(path: Path, namespace: str | None = None, usual: str = "default") -> Resource:
    """The one ExchangePushConfig of a file (``-``: standard input).

    ``namespace`` is the one it must have or gets, ``usual`` the one of a file that names none.

    Raises:
        SpecError: it cannot be read, holds none or several, or one that the CRD does not allow.
    """
    file = "standard input" if str(path) == "-" else str(path)
    documents = [it for it in _documents(path, file) if isinstance(it, dict)]
    found = [it for it in documents if it.get("kind") == _KIND]
    if len(found) != 1:
        count = f"{len(found)} resources" if found else "no resource"
        raise SpecError(f"{file}: holds {count} of kind {_KIND}; give a file of one")
    try:
        return completed(found[0], namespace, usual)
    except SpecError as error:
        raise SpecError(f"{file}: {error}") from error


def completed(
    document: Mapping[str, Any], namespace: str | None = None, usual: str = "default"
) -> Resource:
    """The resource with every default.

    Raises: SpecError, naming the field.
    """
    if document.get("apiVersion") != f"{GROUP}/{VERSION}":
        raise SpecError(f"apiVersion: {document.get('apiVersion')!r} is not {GROUP}/{VERSION}")
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("name"):
        raise SpecError("metadata.name: is missing")
    name = _named("metadata.name", object_name, metadata["name"])
    own = metadata.get("namespace")
    own = own and _named("metadata.namespace", namespace_name, own)
    if namespace and own and namespace != own:
        raise SpecError(f"metadata.namespace: {own} is not the {namespace} of --namespace")
    spec = _completed(copy.deepcopy(document.get("spec")), _schema(), "spec")
    made = {
        "name": name,
        "namespace": own or namespace or usual,
        "annotations": metadata.get("annotations") or {},
        **_NOT_STORED_YET,
    }
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": _KIND, "metadata": made, "spec": spec}


def _named(field: str, read: Callable[[str], str], value: Any) -> str:
    """A name becomes part of an address. Raises: SpecError."""
    if not isinstance(value, str):
        raise SpecError(f"{field}: must be of type string")
    try:
        return read(value)
    except ValueError as error:
        raise SpecError(f"{field}: {error}") from error


def in_place_of(stored: Resource, resource: Resource) -> Resource:
    """The resource once it is applied over the one that is stored: what is known of that stays."""
    kept = {name: stored["metadata"][name] for name in _NOT_STORED_YET}
    metadata = {**resource["metadata"], **kept}
    return {**resource, "metadata": metadata, "status": stored.get("status") or {}}


def _documents(path: Path, file: str) -> Iterator[Any]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        yield from list(yaml.load_all(text, Loader=_Loader))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise SpecError(f"{file}: cannot be read: {why}") from error
    except _BAD_VALUE as error:
        raise SpecError(f"{file}: is not YAML: {_wrong(error)}") from error


def _wrong(error: Exception) -> str:
    """In one line; a parser's own text shows the place by a picture."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())


@lru_cache(maxsize=1)
def _schema() -> Mapping[str, Any]:
    """The CRD's schema of spec; ``make render`` writes it."""
    path = resources.files(__package__) / "spec_schema.json"
    schema: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def _completed(value: Any, schema: Mapping[str, Any], where: str) -> Any:
    """Check a value and fill in defaults: parents first, then what is below them."""
    wanted = _TYPES[schema["type"]]
    if type(value) is not wanted:
        raise SpecError(f"{where}: must be of type {schema['type']}")
    if isinstance(value, dict):
        return _object(value, schema, where)
    _check(value, schema, where)
    if isinstance(value, list):
        items = enumerate(value)
        return [_completed(item, schema["items"], f"{where}[{number}]") for number, item in items]
    return value


def _object(value: dict[str, Any], schema: Mapping[str, Any], where: str) -> dict[str, Any]:
    known: Mapping[str, Any] = schema.get("properties") or {}
    unknown = sorted(str(key) for key in set(value) - set(known))
    if unknown:
        fields = ", ".join(known)
        raise SpecError(f"{where}.{unknown[0]}: there is no such field; {where} has {fields}")
    for name, below in known.items():
        if name not in value and "default" in below:
            value[name] = copy.deepcopy(below["default"])
    missing = [name for name in schema.get("required") or () if name not in value]
    if missing:
        raise SpecError(f"{where}.{missing[0]}: is missing")
    return {name: _completed(it, known[name], f"{where}.{name}") for name, it in value.items()}


def _check(value: Any, schema: Mapping[str, Any], where: str) -> None:
    if "enum" in schema and value not in schema["enum"]:
        raise SpecError(f"{where}: {value!r} is not one of {', '.join(schema['enum'])}")
    pattern = schema.get("pattern")
    # A $ of the API server's is the very end; Python's lets a line end follow.
    if pattern is not None and not (re.search(pattern, value) and value[-1:] != "\n"):
        raise SpecError(f"{where}: {value!r} does not match {pattern}")
    size = value if isinstance(value, int) else len(value)
    least = schema.get("minimum", schema.get("minLength", schema.get("minItems", size)))
    most = schema.get("maximum", schema.get("maxLength", schema.get("maxItems", size)))
    if not least <= size <= most:
        raise SpecError(f"{where}: {value!r} is out of bounds ({least} to {most})")
