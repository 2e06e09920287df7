"""The documentation site: it builds in strict mode, and shows every page."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.lab

ROOT = Path(__file__).resolve().parents[2]
GATHERED = ROOT / "dist" / "docs"


def gathered() -> set[str]:
    subprocess.run([sys.executable, ROOT / "hack" / "site.py"], check=True, capture_output=True)
    return {str(path.relative_to(GATHERED)) for path in GATHERED.rglob("*.md")}


def in_navigation(entries: list[Any]) -> list[str]:
    found = [target for entry in entries for target in entry.values()]
    return [
        page
        for target in found
        for page in ([target] if isinstance(target, str) else in_navigation(target))
    ]


def build() -> "subprocess.CompletedProcess[str]":
    zensical = Path(sys.executable).with_name("zensical")
    return subprocess.run(
        [zensical, "build", "--strict"],
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_site_is_built_without_a_warning() -> None:
    gathered()

    done = build()

    assert done.returncode == 0, done.stdout + done.stderr
    assert (ROOT / "dist" / "site" / "quick-start" / "index.html").exists()


def test_a_link_to_a_heading_that_does_not_exist_is_an_error() -> None:
    gathered()
    page = GATHERED / "index.md"
    page.write_text(page.read_text("utf-8") + "\n[broken](safety.md#no-such-heading)\n", "utf-8")

    assert build().returncode != 0


def test_the_navigation_names_every_page_but_decisions_and_runbooks() -> None:
    pages = gathered()
    config = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))
    named = in_navigation(config["project"]["nav"])

    assert len(named) == len(set(named))
    assert set(named) <= pages
    reached_by_links = re.compile(r"(decisions|runbooks)/.")
    assert {page for page in pages - set(named) if not reached_by_links.match(page)} == set()
