"""A situation's object as text that is the same each time it is played.

Certificates are made anew each time, so what comes of their keys is numbered through.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from lab.situations.stories import Situation

OBJECTS = Path(__file__).parent / "objects"
_DRAWN = {
    r"[0-9A-F]{40}": "{:040X}",  # thumbprints
    r"[0-9a-f]{64}": "{:064x}",  # SHA-256
    r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}": (
        "00000000-0000-5000-8000-{:012x}"  # our keyIds
    ),
    r"[0-9a-f]{8}-(?!0000)[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}": (
        "00000000-0000-4000-8000-{:012x}"  # ids that Entra ID has drawn
    ),
    r"(?<=\"planHash\": \")[0-9a-f]{12}": "{:012x}",
    r"(?<=plan )[0-9a-f]{12}": "{:012x}",  # the same in words
    r"(?<=\.)[0-9a-f]{12}(?=\")": "{:012x}",  # ids of planned changes
    r"[A-Za-z0-9+/]{200,}={0,2}": "Q0VSVElGSUNBVEUg{:04d}",  # certificates, base64
}


def record(situation: Situation) -> str:
    """Play it; the object as JSON."""
    plain = situation.play().resource
    text = json.dumps({"apiVersion": plain["apiVersion"], "kind": plain["kind"], **plain}, indent=1)
    for pattern, placeholder in _DRAWN.items():
        text = _numbered(text, pattern, placeholder)
    return f"{text}\n"


def recorded(name: str) -> dict[str, Any]:
    """The object of a situation as it was recorded."""
    found: dict[str, Any] = json.loads((OBJECTS / f"{name}.json").read_text("utf-8"))
    return found


def _numbered(text: str, pattern: str, placeholder: str) -> str:
    names: dict[str, str] = {}

    def one(match: re.Match[str]) -> str:
        return names.setdefault(match[0], placeholder.format(len(names) + 1))

    return re.sub(rf"(?<![0-9A-Za-z-]){pattern}(?![0-9A-Za-z-])", one, text)
