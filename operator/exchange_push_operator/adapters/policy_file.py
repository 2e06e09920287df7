"""The installer's policy, read from a file and read anew when the file changes."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Lock
from typing import TypeAlias

import yaml

from exchange_push_operator.core.errors import PushError, SpecError
from exchange_push_operator.core.policy import Policy, parse_policy

_LOG = logging.getLogger(__name__)
# What PyYAML lets through: 2026-13-45, !!int "", !!bool x, and a thousand open brackets.
_BAD_VALUE = (ValueError, LookupError, AttributeError, RecursionError)
_Stamp: TypeAlias = tuple[int, int, int] | None


class PolicyFile:
    """Gives the policy as the file has it now. Safe in threads.

    A file that has become unreadable or malformed changes nothing: the last good policy stays in
    force, and the log says why, once for each change of the file.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            SpecError: it cannot be read, or is not a policy; the message names the place.
        """
        self._path = path
        self._lock = Lock()
        self._stamp = _stamp(path)
        self._policy = _read(path)

    def __call__(self) -> Policy:
        """The policy in force."""
        with self._lock:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._stamp = stamp
                self._reload()
            return self._policy

    def _reload(self) -> None:
        try:
            self._policy = _read(self._path)
        except PushError as error:
            _LOG.error("%s; the policy read before stays in force", error)
        else:
            _LOG.info("policy %s read anew", self._path)


def _stamp(path: Path) -> _Stamp:
    # A ConfigMap's file changes by a new link target: another inode, perhaps the same size.
    try:
        now = path.stat()
    except OSError:
        return None
    return now.st_mtime_ns, now.st_ino, now.st_size


def _read(path: Path) -> Policy:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        message = f"policy {path} cannot be read: {error}"
        raise SpecError(message) from error
    except yaml.YAMLError as error:
        message = f"policy {path} is not YAML: {' '.join(str(error).split())}"
        raise SpecError(message) from error
    except _BAD_VALUE as error:
        message = f"policy {path} is not YAML: a value is not of the type that it looks like"
        raise SpecError(message) from error
    try:
        return parse_policy(document if document is not None else {})
    except SpecError as error:
        message = f"policy {path}: {error}"
        raise SpecError(message) from error
