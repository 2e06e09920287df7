"""Recorded objects before Argo CD's own judge: `argocd admin settings resource-overrides`."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from lab import binaries
from lab.demo_screen import Screen
from lab.installation import Manifest
from lab.resources import ROOT

CONFIG_MAP = ROOT / "argocd" / "argocd-cm.yaml"
KIND = ROOT / "argocd" / "resource_customizations" / "exchangepush.dev" / "ExchangePushConfig"
_STAMP = re.compile(r"(exchangepush.dev/reconcile-requested-at: )\S+")
_HEAD = "# Made by `make e2e-gitops ARGS=--record` from what Argo CD itself answered.\n"


def health(path: Path) -> dict[str, str]:
    """Status and message of the object in a file."""
    match = re.fullmatch(r"STATUS: (.*)\nMESSAGE: (.*)\n", _ask("health", str(path)))
    assert match, f"no health of {path.name}"
    return {"status": match[1], "message": match[2]}


def actions(path: Path) -> dict[str, bool]:
    """Which actions there are, and whether each can be chosen."""
    rows = _ask("list-actions", str(path)).splitlines()[1:]
    return {name: disabled == "false" for name, disabled in map(str.split, rows)}


def changed_by(action: str, path: Path) -> set[str]:
    """The lines that an action takes away (-) and adds (+); times are written TIME."""
    text = _STAMP.sub(r"\1TIME", _ask("run-action", str(path), action))
    marks = [line for line in text.splitlines() if line[:2] in ("< ", "> ")]
    signs = {"<": "-", ">": "+"}
    return {f"{signs[line[0]]} {line[2:].strip()}" for line in marks}


def judge(screen: Screen, recorded: Mapping[str, Manifest], folder: Path) -> int:
    """Every object gets the health that its name begins with, and so does the one kept in git.

    Gives the number of judgements. Raises AssertionError on the first that is wrong.
    """
    kept = {case["inputPath"]: case["healthStatus"] for case in _kept()}
    for name, manifest in recorded.items():
        found = health(_write(folder / f"{name}.yaml", manifest))
        screen.note(f"{name:28} {found['status']:12} {found['message'][:90]}")
        wanted = name.partition("_")[0].capitalize()
        assert found["status"] == wanted, f"{name}: {found}, not {wanted}"
    for path, wanted_health in kept.items():
        found = health(KIND / path)
        assert found == wanted_health, f"{path}: {found}, not {wanted_health}"
    missing = {f"testdata/{name}.yaml" for name in _worth_keeping(recorded)} ^ set(kept)
    assert not missing, f"recorded or kept, but not both: {missing}; run with --record"
    return len(recorded) + len(kept)


def act(screen: Screen) -> int:
    """Every action does what actions/action_test.yaml says; the number of judgements."""
    cases = yaml.safe_load((KIND / "actions" / "action_test.yaml").read_text("utf-8"))
    for case in cases["discoveryTests"]:
        wanted = {one["name"]: not one["disabled"] for one in case["result"]}
        found = actions(KIND / "actions" / case["inputPath"])
        assert found == wanted, f"{case['inputPath']}: {found}, not {wanted}"
    for case in cases["actionTests"]:
        before, after = (
            KIND / "actions" / case[key] for key in ("inputPath", "expectedOutputPath")
        )
        lines = changed_by(case["action"], before)
        assert lines == _difference(before, after), f"{case['action']}: {lines}"
        screen.note(f"{case['action']:12} {'; '.join(sorted(lines)) or 'nothing'}")
    return len(cases["discoveryTests"]) + len(cases["actionTests"])


def keep(recorded: Mapping[str, Manifest]) -> None:
    """Write recorded objects and Argo CD's answers into the folder that goes upstream."""
    tests = []
    for name, manifest in _worth_keeping(recorded).items():
        path = _write(KIND / "testdata" / f"{name}.yaml", manifest)
        tests.append({"healthStatus": health(path), "inputPath": f"testdata/{path.name}"})
    text = yaml.safe_dump({"tests": tests}, sort_keys=False, width=1000)
    (KIND / "health_test.yaml").write_text(_HEAD + text, "utf-8")


def _worth_keeping(recorded: Mapping[str, Manifest]) -> Mapping[str, Manifest]:
    """Those that Argo CD asks our script about: what is being deleted it judges itself."""
    deleted = "deletionTimestamp"
    return {name: one for name, one in recorded.items() if deleted not in one["metadata"]}


def _kept() -> Iterator[dict[str, Any]]:
    path = KIND / "health_test.yaml"
    yield from yaml.safe_load(path.read_text("utf-8"))["tests"] if path.exists() else ()


def _difference(before: Path, after: Path) -> set[str]:
    old, new = (_lines(_STAMP.sub(r"\1TIME", path.read_text("utf-8"))) for path in (before, after))
    return {f"- {line}" for line in old - new} | {f"+ {line}" for line in new - old}


def _lines(text: str) -> set[str]:
    # YAML quotes in two ways.
    return {line.strip().replace("'", '"') for line in text.splitlines()}


def _write(path: Path, manifest: Manifest) -> Path:
    path.write_text(yaml.safe_dump(manifest, sort_keys=False, width=1000), "utf-8")
    return path


def _ask(command: str, *arguments: str) -> str:
    words = [str(binaries.argocd_binary()), "admin", "settings", "resource-overrides", command]
    done = subprocess.run(
        [*words, *arguments, f"--argocd-cm-path={CONFIG_MAP}"],
        env={"PATH": os.environ["PATH"], "HOME": os.devnull, "ARGOCD_BINARY_NAME": "argocd"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command} {arguments}: {done.stderr.strip()}"
    return done.stdout
