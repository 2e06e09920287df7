"""Which reason may stand on which condition with which status: the tables of docs/reasons.md, read.

So what users read is what every status of every test is held against.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from exchange_push_operator.core.status import STAGE_CONDITIONS
from lab.resources import ROOT

PAGE = ROOT / "docs" / "reasons.md"
SUMMARY = ("Ready", "InSync", "Reconciling", "Stalled")
_NAMES = re.compile("|".join((*SUMMARY, *STAGE_CONDITIONS, "stage conditions", "all stages")))
_ROW = re.compile(r"^\| *`(\w+)` *\|([^|]*)\|", re.MULTILINE)


@lru_cache(maxsize=1)
def legal() -> frozenset[tuple[str, str, str]]:
    """Every (condition, status, reason) that the page allows."""
    return frozenset(
        (condition, status, reason)
        for title, section in _sections(PAGE.read_text("utf-8"))
        for reason, on in _ROW.findall(section)
        for condition, status in _places(title, on)
    )


def _sections(page: str) -> Iterator[tuple[str, str]]:
    for section in page.split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        yield title, text


def _places(title: str, on: str) -> Iterator[tuple[str, str]]:
    """Conditions and statuses of a row, by its section and its column "on"."""
    if title.startswith("Stalled"):
        yield "Stalled", "True"
        yield from ((name, "False") for name in ("Ready", *STAGE_CONDITIONS))
    elif title.startswith("Stage conditions"):
        status = next(word for word in ("True", "False", "Unknown") if word in title)
        yield from ((name, status) for name in _named(on))
        if status == "False":
            yield "Ready", status
    else:
        for names, status in re.findall(r"([^=]+)=(True|False|Unknown)", on):
            yield from ((name, status) for name in _named(names))


def _named(text: str) -> Iterator[str]:
    for name in _NAMES.findall(text):
        yield from (STAGE_CONDITIONS if name in ("stage conditions", "all stages") else (name,))
