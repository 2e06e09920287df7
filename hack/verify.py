"""Compare the copies that the repository keeps with what they are copies of; --write renews them.

The chart carries the CRD of crds/, its README is made of its values, deploy/operator.yaml is the
chart rendered with its defaults, for people without Helm, docs/fields.md is the CRD for reading,
docs/decisions/README.md lists the pages beside it, docs/assess.md has a sample report from the
lab, argocd/ has its Lua files once more as settings of Argo CD, and the command `plan` has the
schema of spec as JSON.
"""

import argparse
import difflib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import argocd_settings
import chart_readme
import decision_index
import field_reference
import spec_schema

from lab import assessment
from lab.binaries import KUBERNETES_VERSION, helm_binary
from lab.toolchain import SetupError

ROOT = Path(__file__).resolve().parents[1]
NAME = "exchange-push-operator"
CRD = Path("crds/exchangepushconfigs.yaml")
CHART = Path("helm") / NAME
MANIFESTS = Path("deploy/operator.yaml")
FIELDS = Path("docs/fields.md")
DECISIONS = Path("docs/decisions")
SPEC_SCHEMA = Path("operator/exchange_push_operator/plan/spec_schema.json")

HEADER = f"""\
# Made by `make render` from {CHART}; do not edit.
# For people without Helm: kubectl apply --server-side -f {MANIFESTS}
---
apiVersion: v1
kind: Namespace
metadata:
  name: {NAME}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    write: bool = parser.parse_args().write
    os.chdir(ROOT)
    different = False
    for path, wanted in copies():
        found = path.read_text("utf-8") if path.exists() else ""
        if found == wanted:
            continue
        different = True
        if write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted, encoding="utf-8")
            print(f"wrote {path}")
        else:
            show(path, found, wanted)
    if different and not write:
        sys.exit("copies differ from what they are copies of: run `make render` and look at them")
    print("copies agree")


def copies() -> Iterator[tuple[Path, str]]:
    """The CRD first: the chart is rendered with it."""
    crd = CRD.read_text("utf-8")
    in_chart = sorted(CHART.rglob(CRD.name))
    if not in_chart:
        sys.exit(f"no {CRD.name} under {CHART}: the chart has to carry the CRD")
    for path in in_chart:
        yield path, crd
    yield CHART / "README.md", chart_readme.page(CHART / "values.yaml")
    yield MANIFESTS, HEADER + render()
    yield FIELDS, field_reference.page(CRD)
    yield DECISIONS / "README.md", decision_index.page(DECISIONS)
    yield SPEC_SCHEMA, spec_schema.text(CRD)
    yield assessment.PAGE, assessment.page(assessment.PAGE.read_text("utf-8"))
    yield from argocd_settings.copies()


def render() -> str:
    command = [str(helm_binary()), "template", NAME, str(CHART), "--namespace", NAME]
    # Fixed, so that another helm gives the same text.
    command += ["--include-crds", "--kube-version", KUBERNETES_VERSION]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"helm template failed: {done.stderr.strip()}")
    return done.stdout


def show(path: Path, found: str, wanted: str) -> None:
    lines = difflib.unified_diff(
        found.splitlines(), wanted.splitlines(), f"{path} (kept)", f"{path} (wanted)", lineterm=""
    )
    print("\n".join([*lines][:60]))


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        sys.exit(f"verify: {error}")
