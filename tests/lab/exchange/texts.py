"""What servers of other languages say, and how they write dates. Only people may depend on it.

The English texts are as seen in public reports where there are any; translations are inferred,
except for those of .NET and PowerShell itself. The formats of dates are .NET's own (short date,
long time).
"""

from __future__ import annotations

import json
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

_TABLE: dict[str, dict[str, str]] = json.loads(
    Path(__file__).with_name("texts.json").read_text(encoding="utf-8")
)
CULTURES = tuple(_TABLE)
"""The languages that the documentation of push-notification proxying was published in."""


def say(culture: str, key: str, *values: object) -> str:
    """A text in the language of a server; English for a culture the table does not know.

    Dates among the values are written as the server writes them.
    """
    shown = (moment(culture, one) if isinstance(one, datetime) else one for one in values)
    return _texts(culture)[key].format(*shown)


def moment(culture: str, when: datetime) -> str:
    """A date and time as .NET shows it in this culture."""
    return _texts(culture)["date"].format(
        year=when.year,
        month=when.month,
        day=when.day,
        hour=when.hour,
        hour12=when.hour % 12 or 12,
        minute=when.minute,
        second=when.second,
        half="AM" if when.hour < 12 else "PM",
    )


def http_status(culture: str, status: int) -> str:
    """What .NET says of an HTTP status that is no success; the number is the same everywhere."""
    known = _texts(culture).get(f"http_{status}")
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
    return say(culture, "http_status", status, known or phrase)


def _texts(culture: str) -> dict[str, str]:
    return _TABLE.get(culture, _TABLE["en-US"])
