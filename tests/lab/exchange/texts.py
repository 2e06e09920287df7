"""What servers of other languages say. Nothing but people may depend on these texts.

The English ones are as seen in public reports where there are any; translations are inferred,
except for those of .NET and PowerShell itself.
"""

from __future__ import annotations

import json
from pathlib import Path

_TABLE: dict[str, dict[str, str]] = json.loads(
    Path(__file__).with_name("texts.json").read_text(encoding="utf-8")
)
CULTURES = tuple(_TABLE)


def say(culture: str, key: str, *values: object) -> str:
    """A text in the language of a server; English for a culture the table does not know."""
    return _TABLE.get(culture, _TABLE["en-US"])[key].format(*values)
