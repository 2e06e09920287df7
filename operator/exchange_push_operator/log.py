"""Structured logs: one line for each pass, for people (text) or machines (json).

No secret gets in, by construction: only what is named here is written, a Sensitive prints ``***``,
the text of a foreign exception is not shown (its type and place are), and libraries that log
headers and bodies are never asked for more than warnings. Below that is a net: what looks like a
token, an Authorization header or a private key is written as ``***``.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TextIO

from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.conditions import find
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.scrub import redact
from exchange_push_operator.reconcile import Outcome

_PACKAGE = __name__.partition(".")[0]
_AUDIT = logging.getLogger(f"{_PACKAGE}.audit")
_EMPTY: Mapping[str, Any] = {}
_ABOUT: ContextVar[Mapping[str, Any]] = ContextVar("about", default=_EMPTY)

# Texts that speak of our code. Others quote what they choked on: a header, a password.
_SHOWN = (PushError, TypeError, AttributeError, NameError, LookupError, AssertionError)


@dataclass(frozen=True, slots=True)
class Effort:
    """What a pass took: how it ended (one of ``RESULTS``), its time, its remote requests."""

    result: str
    seconds: float
    remote_calls: int = 0


def configure(form: str, level: str) -> None:
    """Send all logs of the process to standard error."""
    logging.basicConfig(handlers=[handler(form, sys.stderr)], force=True)
    set_levels(level)
    _AUDIT.addHandler(handler("json", sys.stderr))  # for machines, whatever people read
    _AUDIT.propagate = False
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_the_end
    threading.excepthook = _log_the_end_of_a_thread


def handler(form: str, stream: TextIO) -> logging.Handler:
    """Write to a stream as ``text`` or ``json``."""
    made = logging.StreamHandler(stream)
    made.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    return made


def set_levels(level: str) -> None:
    """Our own loggers at this level, all others at warnings."""
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its tries; we say what came of them
    logging.getLogger(_PACKAGE).setLevel(level.upper())
    _AUDIT.setLevel(logging.INFO)  # never switched off


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """Put fields on every line that is logged inside, in threads with a copied context too."""
    token = _ABOUT.set({**_ABOUT.get(), **fields})
    try:
        yield
    finally:
        _ABOUT.reset(token)


def audit(instance: str) -> Callable[[Mapping[str, Any]], None]:
    """Where the entries of the audit go; ``instance`` names this process in them."""

    def write(entry: Mapping[str, Any]) -> None:
        fields = {"audit": True, "instance": instance, **entry}
        _AUDIT.info("write", extra={"fields": fields})

    return write


def reconciled(
    logger: logging.Logger, resource: Resource, outcome: Outcome, effort: Effort
) -> None:
    """The line of a pass that came to its end."""
    fields = {
        "generation": resource["metadata"].get("generation"),
        "result": effort.result,
        **_ready(outcome.status),
        "changes": list(outcome.changes),
        **_figures(effort),
    }
    logger.info("reconciled", extra={"fields": fields})


def broken_off(
    logger: logging.Logger, level: int, message: str, effort: Effort, bug: Exception | None = None
) -> None:
    """The line of a pass that did not."""
    fields = {"result": effort.result, **_figures(effort)}
    logger.log(level, "%s", message, extra={"fields": fields}, exc_info=bug)


def _figures(effort: Effort) -> Mapping[str, int]:
    return {
        "duration_ms": round(effort.seconds * 1000),
        "remote_calls": effort.remote_calls,
    }


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        return redact(self.plain(record))

    def plain(self, record: logging.LogRecord) -> str:
        """The same before anything is redacted."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if trouble := _trouble(record):
            line["exception"] = trouble
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """One line for people; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        fields = dict(_fields(record))
        subject = fields.pop("object", None)
        words = [_time(record), record.levelname.ljust(7)]
        words += [f"{subject}:"] if subject else []
        words += [_printable(record.getMessage())]
        words += [
            f"{name}={_word(value)}" for name, value in fields.items() if value not in ("", [])
        ]
        line = " ".join(words)
        trouble = _trouble(record)
        return redact(f"{line}\n{trouble}" if trouble else line)


def _log_the_end(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    logging.getLogger(_PACKAGE).critical("the process ends", exc_info=(kind, error, trace))


def _log_the_end_of_a_thread(told: threading.ExceptHookArgs) -> None:
    name = told.thread.name if told.thread else ""
    trouble = (told.exc_type, told.exc_value or told.exc_type(), told.exc_traceback)
    logging.getLogger(_PACKAGE).critical("the thread %s ends", name, exc_info=trouble)


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    return {**_ABOUT.get(), **getattr(record, "fields", _EMPTY)}


def _ready(status: Mapping[str, Any]) -> Mapping[str, str]:
    condition = find(status, "Ready")
    if condition is None:
        return {}
    ready = f"{condition['status']}/{condition['reason']}"
    # Messages of conditions hold no secrets: everybody who may see the resource reads them.
    why = {} if condition["status"] == "True" else {"why": condition.get("message", "")}
    return {"ready": ready, **why}


def _time(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"


def _word(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    quoted = " " in text and text[0] not in '["{'
    return _printable(json.dumps(text, ensure_ascii=False) if quoted else text)


def _printable(text: str) -> str:
    """Keep it one line: what a server said must not look like a line of ours."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _trouble(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    parts: list[str] = []
    while error is not None:
        places = "".join(traceback.format_tb(error.__traceback__))
        parts.append(f"{places}{_named(error)}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\ncaused by:\n".join(parts)


def _named(error: BaseException) -> str:
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    return f"{name}: {_printable(str(error))}" if isinstance(error, _SHOWN) else name
