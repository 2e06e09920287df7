"""One cell: the fault strikes while the stage is mended, lasts two intervals, and is cured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lab.in_process import Lab, Operator
from lab.matrix.faults import READY, Fault, Said
from lab.matrix.stages import COLUMNS, INTERVAL, Column
from lab.winrm_site import Site, SocketOperator

# Seconds after which what was refused, or has used a quota up, is tried again.
_PAUSE = 301.0
_IDLE_TIMEOUT = 1801.0  # seconds after which Windows removes a shell that was abandoned
_PASSES = (0.0, 2.0, INTERVAL - 2, INTERVAL)  # seconds before each: two intervals in all


@dataclass(frozen=True)
class Refusals:
    """How often each server had turned the account down, at a moment."""

    moment: float
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Cell:
    """What came of it. ``outside`` is the state of the world, as ``Lab.outside`` tells it."""

    fault: Fault
    column: Column
    said: frozenset[Said]
    outside_then: Mapping[str, Any]
    refusals: tuple[Refusals, ...]
    ready_after_cure: tuple[str, str]
    outside_after_cure: Mapping[str, Any]
    changes_at_rest: tuple[str, ...]
    open_shells: int
    struck: bool

    @property
    def words(self) -> str:
        """For the table: Ready, or the reason why not."""
        if self.said >= READY:
            return "Ready"
        (reason,) = (reason for type_, _, reason in self.said if type_ == "Ready")
        return f"`{reason}`"


def complaints(cell: Cell) -> Iterator[str]:
    """What is not as it has to be."""
    wanted = reference(cell.column.name)
    yield from _while_it_lasts(cell, wanted)
    yield from _afterwards(cell, wanted)


def _while_it_lasts(cell: Cell, wanted: Mapping[str, Any]) -> Iterator[str]:
    if not cell.struck:
        yield "the fault did not strike: nothing was changed"
    missing = cell.fault.expected(cell.column) - cell.said
    if missing:
        yield f"does not say {sorted(missing)}, but {sorted(cell.said)}"
    difference = _difference(
        *(_without(one, cell.fault.away) for one in (cell.outside_then, wanted))
    )
    if cell.said >= READY and difference:
        yield f"says Ready, and is not: {difference}"
    for server in _shown_twice(cell.refusals):
        yield f"{server} was shown a refused password again within five minutes"


def _afterwards(cell: Cell, wanted: Mapping[str, Any]) -> Iterator[str]:
    if cell.ready_after_cure != ("True", "Succeeded"):
        yield f"does not heal: {cell.ready_after_cure}"
    if cell.outside_after_cure != wanted:
        yield f"ends otherwise: {_difference(cell.outside_after_cure, wanted)}"
    if cell.changes_at_rest:
        yield f"goes on changing: {cell.changes_at_rest}"
    if cell.open_shells:
        yield f"{cell.open_shells} shells are left open"


def _without(outside: Mapping[str, Any], away: frozenset[str]) -> dict[str, Any]:
    """A server that is away is not spoken of: Ready is true of the others."""
    stores: Mapping[str, Any] = outside.get("stores") or {}
    return {**outside, "stores": {name: of for name, of in stores.items() if name not in away}}


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    keys = sorted(one.keys() | other.keys())
    return {key: (one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)}


def _shown_twice(refusals: tuple[Refusals, ...]) -> Iterator[str]:
    seen: dict[str, int] = {}
    last: dict[str, float] = {}
    for one in refusals:
        for server, count in one.counts.items():
            new = count - seen.get(server, 0)
            early = server in last and one.moment - last[server] < _PAUSE - 1
            if new > 1 or (new and early):
                yield server
            if new:
                last[server] = one.moment
            seen[server] = count


@lru_cache
def reference(name: str) -> Mapping[str, Any]:
    """The end state of a column without any fault."""
    outside = next(one for one in COLUMNS if one.name == name).lab()
    _settle(outside.operator(), outside)
    assert outside.condition("Ready") == ("True", "Succeeded"), name
    return outside.outside()


def _settle(operator: Operator, outside: Lab) -> None:
    for _ in range(4):
        operator.run(most=3)
        if outside.condition("Ready") == ("True", "Succeeded"):
            break
        outside.clock.forward(seconds=_PAUSE)


def run(site: Site, fault: Fault, column: Column) -> Cell:
    """Play it."""
    outside = column.lab(fault.scheme)

    def strike() -> None:
        if fault.anew:
            operator.disconnect()
        fault.strike(outside, column)

    operator = SocketOperator(outside, site, strike=strike, timeouts=fault.timeouts)
    try:
        refusals = tuple(_pass(operator, seconds) for seconds in _PASSES)
        said, then = _said(outside), outside.outside()
        fault.end(outside)
        outside.clock.forward(seconds=_PAUSE)
        _settle(operator, outside)
        ready, after = outside.condition("Ready"), outside.outside()
        at_rest = operator.step().changes
    finally:
        operator.close()
    outside.clock.forward(seconds=_IDLE_TIMEOUT)
    return Cell(
        fault,
        column,
        said,
        then,
        refusals,
        ready,
        after,
        at_rest,
        site.open_shells,
        operator.struck,
    )


def _pass(operator: SocketOperator, seconds: float) -> Refusals:
    operator.lab.clock.forward(seconds=seconds)
    operator.step()
    return Refusals(operator.lab.clock().timestamp(), operator.site.refused_sign_ins)


def _said(outside: Lab) -> frozenset[Said]:
    return frozenset((c["type"], c["status"], c["reason"]) for c in outside.status["conditions"])
