"""What is in git: a repository on this machine."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from lab.installation import Manifest


class Repository:
    """A work tree whose commits are read by its path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch=main")

    @property
    def url(self) -> str:
        return f"file://{self.folder}"

    def commit(self, path: str, *manifests: Manifest) -> str:
        """Make these the only objects of a folder; the commit's hash."""
        folder = self.folder / path
        folder.mkdir(exist_ok=True)
        for old in folder.glob("*.json"):
            old.unlink()
        for manifest in manifests:
            name = f"{manifest['kind']}-{manifest['metadata']['name']}.json".lower()
            (folder / name).write_text(json.dumps(manifest, indent=2), "utf-8")
        (folder / "README").write_text("So that git keeps an empty folder.\n", "utf-8")
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", f"Change {path}")
        return self._git("rev-parse", "HEAD")

    def _git(self, *arguments: str) -> str:
        who = {"GIT_AUTHOR_NAME": "lab", "GIT_AUTHOR_EMAIL": "lab@example.com"}
        who |= {"GIT_COMMITTER_NAME": "lab", "GIT_COMMITTER_EMAIL": "lab@example.com"}
        own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], **who, **own},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()
