"""Gather the pages of the documentation site in dist/docs, for zensical.toml.

The pages of docs/ link to files elsewhere in the repository, which a site does not have. Those
files come along: Markdown as pages of their own, all others to be read as they are.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
GATHERED = ROOT / "dist" / "docs"
# Code is passed over: the group is empty there.
_LINK = re.compile(r"```.*?```|`[^`\n]*`|(?<=\]\()(?!https?:|mailto:|#)([^)#\s]+)", re.DOTALL)


def main() -> None:
    shutil.rmtree(GATHERED, ignore_errors=True)
    beside = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
    waiting = [*DOCS.rglob("*.*"), *(ROOT / name for name in beside)]
    seen = set(waiting)
    while waiting:
        source = waiting.pop()
        copy(source)
        linked = {target for target in links(source) if target not in seen}
        seen |= linked
        waiting += linked
    print(f"site: {len(seen)} files in {GATHERED.relative_to(ROOT)}")


def place(source: Path) -> Path:
    """Where a file of the repository lies on the site."""
    inside = DOCS in source.parents
    return GATHERED / source.relative_to(DOCS if inside else ROOT)


def links(source: Path) -> Iterator[Path]:
    """The files of the repository that a page links to."""
    if source.suffix == ".md":
        found = _LINK.findall(source.read_text("utf-8"))
        yield from (resolved(source, target) for target in found if target)


def resolved(source: Path, target: str) -> Path:
    path = (source.parent / target).resolve()
    if path.is_dir():
        path /= "README.md"
    if not path.is_file() or ROOT not in path.parents:
        sys.exit(f"{source.relative_to(ROOT)}: the link to {target} leads nowhere; correct it")
    return path


def copy(source: Path) -> None:
    destination = place(source)
    destination.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix != ".md":
        shutil.copyfile(source, destination)
        return

    def moved(match: re.Match[str]) -> str:
        if not match[1]:
            return match[0]
        return os.path.relpath(place(resolved(source, match[1])), destination.parent)

    destination.write_text(_LINK.sub(moved, source.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
