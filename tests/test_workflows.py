"""GitHub's workflows name things of this repository: those exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def steps(path: Path) -> list[dict[str, Any]]:
    document = yaml.safe_load(path.read_text("utf-8"))
    return [step for job in document["jobs"].values() for step in job["steps"]]


def commands(path: Path) -> list[list[str]]:
    """Every command line of a workflow, in words."""
    scripts = [step["run"] for step in steps(path) if "run" in step]
    return [shlex.split(line) for script in scripts for line in script.splitlines()]


def test_there_is_one_for_each_occasion() -> None:
    assert {path.stem for path in WORKFLOWS} == {
        *("ci", "docs", "e2e", "nightly", "release", "windows")
    }


@pytest.mark.parametrize(
    "target", ["docs", "e2e-cluster", "e2e-gitops", "nightly", "bench-failover"]
)
def test_what_is_too_long_for_make_check_has_a_workflow(target: str) -> None:
    assert ["make", target] in [words[-2:] for path in WORKFLOWS for words in commands(path)]


@each_workflow
def test_what_make_is_asked_for_is_a_target(path: Path) -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    asked = {words[1] for words in commands(path) if words[0] == "make"}
    assert asked <= targets


@each_workflow
def test_every_path_that_is_named_exists(path: Path) -> None:
    named = {word for words in commands(path) for word in words if "/" in word and ":" not in word}
    assert {word for word in named if not (ROOT / word).exists()} == set()


@each_workflow
def test_every_variable_that_make_is_given_is_one_of_the_makefile(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    given = {
        word.partition("=")[0]
        for words in commands(path)
        if words[0] == "make"
        for word in words[2:]
    }
    assert {name for name in given if f"$({name})" not in makefile} == set()


@each_workflow
def test_it_may_only_read_and_every_job_ends(path: Path) -> None:
    document = yaml.safe_load(path.read_text("utf-8"))
    assert document["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] for job in document["jobs"].values())


def test_nothing_is_released_before_everything_has_passed() -> None:
    path = next(path for path in WORKFLOWS if path.stem == "release")
    jobs = yaml.safe_load(path.read_text("utf-8"))["jobs"]
    for name in jobs:
        before = name
        while before != "check":
            before = jobs[before]["needs"]  # each waits for one


@each_workflow
def test_actions_are_githubs_own_and_pinned_by_commit_with_the_version_beside_it(
    path: Path,
) -> None:
    used = re.findall(r"uses: (.*)", path.read_text("utf-8"))
    assert used
    pinned = r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+"
    assert [name for name in used if not re.fullmatch(pinned, name)] == []


@each_workflow
def test_more_than_reading_is_granted_to_single_jobs_with_a_reason(path: Path) -> None:
    granted = re.findall(r"^ {6}[\w-]+: write.*", path.read_text("utf-8"), re.M)
    assert [line for line in granted if " # " not in line] == []
