"""The report: for people, for a pull request, for a program. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from textwrap import wrap

from exchange_push_operator.assess import verdict
from exchange_push_operator.assess.evidence import Evidence
from exchange_push_operator.assess.finding import Finding, Level, Row, Section, exit_code
from exchange_push_operator.core.plan import Step
from exchange_push_operator.core.timestamps import utc_text
from exchange_push_operator.plan.document import changes
from exchange_push_operator.workstation import forms

_COLOURS = {
    Level.BROKEN: "\033[31m",
    Level.ATTENTION: "\033[33m",
    Level.UNSEEN: "\033[36m",
    Level.NOTICE: "",
}
_MARGIN, _LEAST_ROOM = 13, 30  # characters: where texts begin, and what they get at least
_FINE, _BOLD, _PLAIN = "\033[32m", "\033[1m", "\033[0m"
_MARKUP, _TICKS = re.compile(r"[&<|`*\[]"), re.compile("`+")
_WORDS = {0: "fine", 1: "attention", 2: "broken"}


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is told.

    ``repairs``: what the operator would do first for the resource that describes the organisation,
    with the names of the stages; ``waiting``: what it would do when that is done. ``graph`` is
    ``https://host`` of the cloud.
    """

    server: str
    version: str
    tenant: str
    graph: str
    findings: tuple[Finding, ...]
    repairs: tuple[tuple[str, Step], ...]
    waiting: tuple[tuple[str, Step], ...]
    sections: tuple[Section, ...]

    @property
    def exit_code(self) -> int:
        """0 for fine, 1 for attention, 2 for broken."""
        return exit_code(self.findings)

    @property
    def word(self) -> str:
        """The same for people."""
        return _WORDS[self.exit_code]


def judged(evidence: Evidence, version: str) -> Report:
    """Put facts, verdict and repairs together."""
    tenant = evidence.config.tenant
    return Report(
        server=evidence.server,
        version=version,
        tenant=f"{tenant.domain} ({tenant.tenant_id})",
        graph=tenant.cloud.graph,
        findings=verdict.findings(evidence),
        repairs=evidence.repairs,
        waiting=evidence.waiting,
        sections=verdict.sections(evidence),
    )


def _painted(level: Level | None, text: str) -> str:
    shade = _FINE if level is None else _COLOURS[level]
    return f"{shade}{text}{_PLAIN}" if shade else text


def _plain(_level: Level | None, text: str) -> str:
    return text


def as_text(report: Report, *, colour: bool = False, width: int = 0) -> str:
    """The verdict first, then the facts. ``width``: of the terminal; 0 where lines stay whole."""
    paint = _painted if colour else _plain

    def title(text: str) -> str:
        return f"{_BOLD}{text}{_PLAIN}" if colour else text

    worst = next((one.level for one in report.findings if exit_code((one,))), None)
    lines = [
        f"{report.server}: read-only assessment by exchange-push-operator {report.version}",
        f"tenant {report.tenant}",
        "",
        title(f"Verdict: {paint(worst, report.word)}"),
        *(
            f"  {paint(one.level, f'{one.level:<9}')}  {_hung(_told(one), width)}"
            for one in report.findings
        ),
        "",
        title("What the operator would do"),
        *(f"  {headed}\n      {text}" for headed, text in _changes(report)),
        *([] if report.repairs else ["  nothing: the first plan is empty"]),
    ]
    for section in report.sections:
        lines += ["", title(section.title), *_rows(section, paint, width)]
    return "\n".join(lines) + "\n"


def _hung(text: str, width: int) -> str:
    """Continued under its own beginning; a word, such as a thumbprint, is never broken."""
    room = max(_LEAST_ROOM, width - _MARGIN) if width else len(text) + 1
    lines = wrap(text, room, break_long_words=False, break_on_hyphens=False)
    return f"\n{' ' * _MARGIN}".join(lines)


def _rows(section: Section, paint: Callable[[Level | None, str], str], width: int) -> Iterator[str]:
    told = forms.columns([(row.name, row.text) for row in section.rows])
    for row, line in zip(section.rows, told, strict=True):
        yield f"  {paint(row.level, f'{_mark(row):<9}')}  {_hung(line, width)}"


def _told(finding: Finding) -> str:
    when = f"{finding.on:%Y-%m-%d} " if finding.on else ""
    return forms.one_line(f"{when}{finding.what}: {finding.text}")


def _changes(report: Report) -> Iterator[tuple[str, str]]:
    for _, step in (*report.repairs, *report.waiting):
        yield forms.one_line(f"{step.action} ({step.target})"), forms.one_line(step.text)


def as_markdown(report: Report) -> str:
    """Tables, for a ticket or a pull request."""
    lines = [
        f"# Assessment of `{report.server}`: {report.word}",
        "",
        f"Tenant {report.tenant}, read-only, exchange-push-operator {report.version}.",
        "",
        *_table(("", "when", "what"), (_cells(one) for one in report.findings)),
        "",
        "## What the operator would do",
        "",
        *(f"* {_literal(headed)}: {_code(text)}" for headed, text in _changes(report)),
        *([] if report.repairs else ["Nothing: the first plan is empty."]),
    ]
    for section in report.sections:
        rows = ((_mark(row), row.name, row.text) for row in section.rows)
        lines += ["", f"## {section.title}", "", *_table(("", "of", "is"), rows)]
    return "\n".join(lines) + "\n"


def _cells(finding: Finding) -> tuple[str, str, str]:
    when = f"{finding.on:%Y-%m-%d}" if finding.on else ""
    return finding.level.value, when, f"{finding.what}: {finding.text}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [
        f"| {' | '.join(_literal(forms.one_line(cell)) for cell in row)} |" for row in rows
    ]


def _literal(text: str) -> str:
    """Names that somebody chose are no tags, links or columns of a ticket."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", text)


def _code(text: str) -> str:
    """A code span; it ends with as many backticks as it begins with (CommonMark 6.1)."""
    ticks = "`" * (1 + max(map(len, _TICKS.findall(text)), default=0))
    return f"{ticks} {text} {ticks}" if len(ticks) > 1 else f"{ticks}{text}{ticks}"


def as_json(report: Report) -> str:
    """For a program; names are stable (docs/assess.md)."""
    document = {
        "server": report.server,
        "version": report.version,
        "tenant": report.tenant,
        "verdict": report.word,
        "exitCode": report.exit_code,
        "findings": [_finding(one) for one in report.findings],
        "plannedChanges": changes(report.graph, report.repairs, report.waiting),
        "facts": {one.title: [_fact(row) for row in one.rows] for one in report.sections},
    }
    return forms.as_json(document)


def _finding(one: Finding) -> dict[str, str | None]:
    on = utc_text(one.on) if one.on else None
    return {"level": one.level.value, "what": one.what, "text": one.text, "on": on}


def _fact(row: Row) -> dict[str, str]:
    return {"name": row.name, "text": row.text, "level": _mark(row)}


def _mark(row: Row) -> str:
    return row.level.value if row.level else "ok"


FORMS: Mapping[str, Callable[[Report], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
}
