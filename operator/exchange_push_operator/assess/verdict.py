"""The verdict: what is wrong, what will go wrong and when, and what to do about it. Pure.

The stages of the operator judge what is there, so an assessment and the operator never disagree.
"""

from __future__ import annotations

from collections.abc import Iterator

from exchange_push_operator.assess import (
    certificates,
    cures,
    deprecations,
    keys,
    reach,
    servers,
    trust,
)
from exchange_push_operator.assess.cures import with_cure
from exchange_push_operator.assess.evidence import Evidence
from exchange_push_operator.assess.finding import Finding, Level, Section, ordered
from exchange_push_operator.core.plan import Plan
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.stages.verification import OWN_WORDS
from exchange_push_operator.workstation.wording import for_a_workstation

_SECTIONS = (servers, certificates, trust, keys, reach, deprecations)
# What is no trouble by itself: something else is, or nothing was to be looked at.
_FOLLOWS = frozenset(
    {Reason.WAITS_FOR_CONFIGURATION, Reason.WAITS_FOR_CERTIFICATE, Reason.NOT_MANAGED}
)
# True of every organisation, or said in a section already: news, nothing to mend.
_NEWS = frozenset({"OwaForDevicesEnded", "ServersLeftOut"})
# Not a fact of the organisation: it could not be looked at.
_UNSEEN = frozenset({Reason.ACCESS_DENIED, Reason.SECOND_HOP_FAILED, Reason.SECRET_INVALID})
_MILD = frozenset({Reason.DISABLED, Reason.OTHER_ORGANIZATION})


def sections(evidence: Evidence) -> tuple[Section, ...]:
    """All facts."""
    return tuple(one.section(evidence) for one in _SECTIONS)


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Everything that is not as it should be, worst first."""
    return ordered(tuple(_all(evidence)))


def _all(evidence: Evidence) -> Iterator[Finding]:
    for condition, plan in evidence.plans.items():
        yield from _of_stage(condition, plan)
    for one in _SECTIONS:
        yield from one.findings(evidence)
    for text in evidence.troubles:
        yield Finding(Level.ATTENTION, "not seen", text)
    for text in evidence.not_asked:
        yield Finding(Level.UNSEEN, "not asked", text)


def _of_stage(condition: str, plan: Plan) -> Iterator[Finding]:
    found = plan.finding
    if found.status == "False":
        mild = condition == "ProxyReady" and found.reason in _MILD
        mild = mild or found.reason is Reason.SERVICE_GONE or found.reason in _UNSEEN
        text = found.message.replace(OWN_WORDS, "")  # there is no status; the facts have them
        if found.reason in _UNSEEN:
            text = for_a_workstation(text)
        text = with_cure(text, cures.of_stage(plan))
        yield Finding(Level.ATTENTION if mild else Level.BROKEN, condition, text)
    elif found.status == "Unknown" and found.reason not in _FOLLOWS:
        gone = found.reason is Reason.PROBE_NOT_AVAILABLE
        text = with_cure(for_a_workstation(found.message), cures.of_stage(plan))
        yield Finding(Level.NOTICE if gone else Level.ATTENTION, condition, text)
    for advisory in plan.advisories:
        news = advisory.type in _NEWS or advisory.message == found.message
        level = Level.NOTICE if news else Level.ATTENTION
        if advisory.type not in ("ServiceGone", "ProbeNotAvailable"):  # the stage has said it
            text = with_cure(for_a_workstation(advisory.message), cures.of_advisory(advisory))
            yield Finding(level, advisory.type, text)
