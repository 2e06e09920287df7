"""Durations as Kubernetes and Go write them: ``90s``, ``1h30m``."""

from __future__ import annotations

import re
from datetime import timedelta

from exchange_push_operator.core.errors import SpecError

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str, field: str) -> timedelta:
    """Read a duration.

    Raises:
        SpecError: ``text`` is not a duration; names ``field``.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        message = f"{field}: {text!r} is not a duration; write it like 90s, 5m or 1h30m"
        raise SpecError(message)
    try:
        return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))
    except OverflowError as error:
        raise SpecError(f"{field}: {text!r} is longer than any calendar") from error
