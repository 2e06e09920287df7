"""The report: for people, for a pull request, for a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exchange_push_operator.selftest.evidence import Evidence
from exchange_push_operator.selftest.finding import Finding, Verdict
from exchange_push_operator.selftest.questions import QUESTIONS, Question
from exchange_push_operator.workstation import forms


@dataclass(frozen=True, slots=True)
class Report:
    """Every question with its answer."""

    server: str
    version: str
    rows: tuple[tuple[Question, Finding], ...]

    @property
    def exit_code(self) -> int:
        """1 where something is broken, else 0; a difference is news, not a failure."""
        return int(any(finding.verdict is Verdict.BROKEN for _, finding in self.rows))

    def summary(self) -> str:
        """How many of each verdict."""
        found = Counter(finding.verdict for _, finding in self.rows)
        return ", ".join(f"{found[verdict]} {verdict.value}" for verdict in Verdict)


def judged(evidence: Evidence, version: str) -> Report:
    """Put every question to the evidence."""
    rows = tuple((question, question.answer(evidence)) for question in QUESTIONS)
    return Report(evidence.server, version, rows)


def as_text(report: Report) -> str:
    """One line for each question."""
    rows = [
        (finding.verdict.value, question.name, finding.text) for question, finding in report.rows
    ]
    head = f"{report.server}: read-only self-test of exchange-push-operator {report.version}"
    return "\n".join([head, "", *forms.columns(rows), "", report.summary()]) + "\n"


def as_markdown(report: Report) -> str:
    """A table."""
    lines = [
        f"Self-test of `{report.server}`, version {report.version}: {report.summary()}",
        "",
        "| question | | answer |",
        "|---|---|---|",
    ]
    for question, finding in report.rows:
        text = finding.text.replace("|", "\\|")
        lines.append(f"| {question.asks} (`{question.name}`) | {finding.verdict.value} | {text} |")
    return "\n".join(lines) + "\n"


def as_json(report: Report) -> str:
    """For a program; names are stable."""
    document = {
        "server": report.server,
        "version": report.version,
        "answers": [
            {"name": q.name, "asks": q.asks, "verdict": f.verdict.value, "text": f.text}
            for q, f in report.rows
        ],
    }
    return forms.as_json(document)


FORMS: Mapping[str, Callable[[Report], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
}
