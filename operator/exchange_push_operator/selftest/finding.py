"""An answer of the self-test: how it compares with what the operator was built on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.selftest.evidence import Evidence


class Verdict(StrEnum):
    """How an answer compares with what the operator was built on."""

    EXPECTED = "as expected"
    DIFFERS = "differs"
    BROKEN = "broken"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer: the verdict and one line for people."""

    verdict: Verdict
    text: str


def expected(text: str) -> Finding:
    """As the operator was built."""
    return Finding(Verdict.EXPECTED, text)


def differs(text: str) -> Finding:
    """Otherwise; the operator copes, but its authors want to know."""
    return Finding(Verdict.DIFFERS, text)


def broken(text: str) -> Finding:
    """The operator cannot work here until this is mended."""
    return Finding(Verdict.BROKEN, text)


def still_open(text: str) -> Finding:
    """Not settled by this run."""
    return Finding(Verdict.OPEN, text)


def not_reached() -> Finding:
    """Something before it failed."""
    return still_open("not reached; mend what is broken first")


def because(evidence: Evidence, look: Cmdlet) -> str:
    """The error of a look in brackets, if there was one."""
    error = evidence.error(look)
    return f" ({error.kind}: {error})" if error is not None else ""


def unanswered(evidence: Evidence, look: Cmdlet, what: str) -> Finding:
    """A look that did not bring what it should."""
    if look not in evidence.answers:
        return not_reached()
    return differs(what + because(evidence, look))
