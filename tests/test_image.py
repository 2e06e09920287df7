"""The Dockerfile, read as text: what it promises unbuilt. `make e2e-cluster` builds and runs it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "Dockerfile").read_text("utf-8")
INSTRUCTIONS = [
    line
    for line in re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", TEXT, flags=re.M)).splitlines()
    if line
]
FINAL = INSTRUCTIONS[max(i for i, line in enumerate(INSTRUCTIONS) if line.startswith("FROM")) :]


def test_bases_are_arguments_with_a_tag_and_no_digest_that_ages() -> None:
    bases = dict(re.findall(r"^ARG (BUILD_BASE|BASE)=(.+)$", TEXT, re.M))
    assert bases.keys() == {"BUILD_BASE", "BASE"}
    assert all(re.search(r":[\w.-]+$", base) and "@" not in base for base in bases.values())


def test_nothing_is_added_to_the_base_but_what_the_build_gathered() -> None:
    added = [line for line in FINAL if line.startswith(("COPY", "ADD"))]
    assert added == ["COPY --from=build /image /"]
    run = [line for line in FINAL if line.startswith("RUN")]
    assert all(line.startswith('RUN ["') for line in run), "the base has no shell"


def test_it_runs_as_nobody_special() -> None:
    assert [line for line in FINAL if line.startswith("USER")] == ["USER 65532:65532"]


def test_every_package_is_installed_by_hash() -> None:
    commands = [one.strip() for line in INSTRUCTIONS for one in line.split("&&")]
    installs = [one for one in commands if re.search(r"pip .*(install|wheel) ", one)]
    fetching = [one for one in installs if "--no-index" not in one and not one.endswith(" .")]
    assert len(fetching) == 2
    assert [one for one in fetching if "--require-hashes" not in one] == []


def test_kerberos_is_in_and_tried_on_the_base_itself() -> None:
    assert any("requirements/kerberos.txt" in line for line in INSTRUCTIONS)
    assert any(line.startswith("RUN") and "gssapi, krb5" in line for line in FINAL)


def test_its_labels_name_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', TEXT))
    assert labels["title"] == project["name"]
    assert labels["description"] == project["description"]
    assert labels["licenses"] == project["license"]
