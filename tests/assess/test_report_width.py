"""The report on a narrow terminal."""

from __future__ import annotations

from exchange_push_operator.assess.report import as_text, judged
from lab.assessment import assessed
from lab.in_process import lab


def test_lines_are_continued_below_and_no_word_is_lost_or_broken() -> None:
    made = judged(assessed(lab()), "1.2.3")
    whole, narrow = as_text(made), as_text(made, width=72)
    assert narrow.split() == whole.split()
    findings = narrow.partition("What the operator would do")[0].splitlines()[4:]
    assert max(len(line) for line in findings if len(line.split()) > 1) <= 72
    assert [line for line in findings if line.startswith(" " * 13)]
    assert as_text(made, width=3).split() == whole.split()
