"""The report: for people, for a pull request, for a program. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from exchange_push_operator.assess import verdict
from exchange_push_operator.assess.evidence import Evidence
from exchange_push_operator.assess.finding import Finding, Level, Row, Section, exit_code
from exchange_push_operator.core import by_hand
from exchange_push_operator.core.timestamps import utc_text

_COLOURS = {
    Level.BROKEN: "\033[31m",
    Level.ATTENTION: "\033[33m",
    Level.UNSEEN: "\033[36m",
    Level.NOTICE: "",
}
_FINE, _BOLD, _PLAIN = "\033[32m", "\033[1m", "\033[0m"
_WORDS = {0: "fine", 1: "attention", 2: "broken"}


@dataclass(frozen=True, slots=True)
class Repair:
    """One step of the first plan of the resource that describes the organisation.

    ``text`` is for people; ``command`` is the whole of it, which an administrator can run.
    """

    stage: str
    action: str
    target: str
    text: str
    command: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is told."""

    server: str
    version: str
    tenant: str
    findings: tuple[Finding, ...]
    repairs: tuple[Repair, ...]
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
    tenant, graph = evidence.config.tenant, evidence.config.tenant.cloud.graph
    return Report(
        server=evidence.server,
        version=version,
        tenant=f"{tenant.domain} ({tenant.tenant_id})",
        findings=verdict.findings(evidence),
        repairs=tuple(
            Repair(stage, step.action, step.target, step.text, by_hand.command(graph, step))
            for stage, plan in evidence.plans.items()
            for step in plan.steps
        ),
        sections=verdict.sections(evidence),
    )


def _painted(level: Level | None, text: str) -> str:
    shade = _FINE if level is None else _COLOURS[level]
    return f"{shade}{text}{_PLAIN}" if shade else text


def _plain(_level: Level | None, text: str) -> str:
    return text


def as_text(report: Report, *, colour: bool = False) -> str:
    """The verdict first, then the facts."""
    paint = _painted if colour else _plain

    def title(text: str) -> str:
        return f"{_BOLD}{text}{_PLAIN}" if colour else text

    worst = next((one.level for one in report.findings if exit_code((one,))), None)
    lines = [
        f"{report.server}: read-only assessment by exchange-push-operator {report.version}",
        f"tenant {report.tenant}",
        "",
        title(f"Verdict: {paint(worst, report.word)}"),
        *(f"  {paint(one.level, f'{one.level:<9}')}  {_told(one)}" for one in report.findings),
        "",
        title("What the operator would do"),
        *(f"  {one.action} ({one.target})\n      {one.text}" for one in report.repairs),
        *([] if report.repairs else ["  nothing: the first plan is empty"]),
    ]
    for section in report.sections:
        width = max((len(row.name) for row in section.rows), default=0)
        lines += ["", title(section.title)]
        lines += [_line(row, width, paint) for row in section.rows]
    return "\n".join(lines) + "\n"


def _line(row: Row, width: int, paint: Callable[[Level | None, str], str]) -> str:
    return f"  {paint(row.level, f'{_mark(row):<9}')}  {row.name:<{width}}  {row.text}"


def _told(finding: Finding) -> str:
    when = f"{finding.on:%Y-%m-%d} " if finding.on else ""
    return f"{when}{finding.what}: {finding.text}"


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
        *(f"* {one.action} ({one.target}): `{one.text}`" for one in report.repairs),
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
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows
    ]


def as_json(report: Report) -> str:
    """For a program; names are stable."""
    document = {
        "server": report.server,
        "version": report.version,
        "tenant": report.tenant,
        "verdict": report.word,
        "exitCode": report.exit_code,
        "findings": [_finding(one) for one in report.findings],
        "plannedChanges": [_change(one) for one in report.repairs],
        "facts": {one.title: [_fact(row) for row in one.rows] for one in report.sections},
    }
    return json.dumps(document, indent=2) + "\n"


def _finding(one: Finding) -> dict[str, str]:
    told = {"level": one.level.value, "what": one.what, "text": one.text}
    return told | ({"on": utc_text(one.on)} if one.on else {})


def _change(one: Repair) -> dict[str, str]:
    return {
        "stage": one.stage,
        "action": one.action,
        "target": one.target,
        "command": one.command,
    }


def _fact(row: Row) -> dict[str, str]:
    return {"name": row.name, "text": row.text, "level": _mark(row)}


def _mark(row: Row) -> str:
    return row.level.value if row.level else "ok"


FORMS: Mapping[str, Callable[[Report], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
}
