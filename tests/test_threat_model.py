"""docs/security/threat-model.md names tests for every threat, and they exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "security" / "threat-model.md").read_text("utf-8")
THREATS: dict[str, str] = dict(re.findall(r"^### (T\d\d [^\n]*)\n(.*?)(?=^##)", TEXT, re.M | re.S))
NAMED = sorted(set(re.findall(r"^- `(.+)`$", TEXT, re.M)))


def test_threats_are_numbered_without_a_gap() -> None:
    numbers = [int(head[1:3]) for head in THREATS]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 10


@pytest.mark.parametrize("threat", THREATS)
def test_a_threat_has_tests(threat: str) -> None:
    assert re.findall(r"^- `tests/.*::test_.*`$", THREATS[threat], re.M)


@pytest.mark.parametrize("named", NAMED)
def test_a_test_that_is_named_exists(named: str) -> None:
    path, _, name = named.partition("::")
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
