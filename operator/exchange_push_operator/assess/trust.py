"""What Exchange trusts and signs as, where its pushes go, and what it says when it tries. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from exchange_push_operator.assess import first_look
from exchange_push_operator.assess.cures import failed_try, of_try, with_cure
from exchange_push_operator.assess.evidence import Evidence
from exchange_push_operator.assess.finding import Finding, Level, Row, Section
from exchange_push_operator.core import dedicated_application, organization, probes, push_proxy
from exchange_push_operator.core.builds import builds
from exchange_push_operator.core.config import EXCHANGE_ONLINE
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.probe_errors import cause
from exchange_push_operator.core.reading import reading
from exchange_push_operator.workstation.wording import for_a_workstation

_NOT_SEEN = "not seen"
_BY_HAND = "look with Enable-PushNotificationProxy -WhatIf as an administrator"


def section(evidence: Evidence) -> Section:
    """A row for each thing; what could not be read says so."""
    parts = (_auth_servers, _partners, _overrides, _signs_as, _proxy, _tries)
    return Section(
        "Trust with Microsoft 365", tuple(row for part in parts for row in _read(evidence, part))
    )


def _read(evidence: Evidence, part: Callable[[Evidence], Iterator[Row]]) -> list[Row]:
    try:
        with reading("an answer"):
            return list(part(evidence))
    except PushError as error:
        return [Row(_NOT_SEEN, for_a_workstation(str(error)), Level.ATTENTION)]


def _auth_servers(evidence: Evidence) -> Iterator[Row]:
    servers = first_look.auth_servers(evidence.observed)
    doubled = _doubled(evidence)
    for one in servers:
        facts = (
            one.type,
            f"realm {one.realm or '-'}",
            "enabled" if one.enabled else "disabled",
            one.metadata_url,
            "trusts ANY TLS certificate" if one.trusts_any else "",
            "one of several for this realm" if one.name in doubled else "",
        )
        odd = one.trusts_any or one.name in doubled
        text = "; ".join(fact for fact in facts if fact)
        yield Row(f"auth server {one.name}", text, Level.ATTENTION if odd else None)


def _doubled(evidence: Evidence) -> set[str]:
    """Enabled auth servers of one type for one realm beside another."""
    servers = [s for s in first_look.auth_servers(evidence.observed) if s.enabled and s.realm]
    counts = Counter((one.type, one.realm) for one in servers)
    return {one.name for one in servers if counts[one.type, one.realm] > 1}


def _partners(evidence: Evidence) -> Iterator[Row]:
    for row in evidence.observed.organization(organization.PARTNER_APPLICATIONS):
        text = f"{row['ApplicationIdentifier']}; {'enabled' if row['Enabled'] else 'disabled'}"
        yield Row(f"partner application {row['Name']}", text)


def _overrides(evidence: Evidence) -> Iterator[Row]:
    for row in evidence.observed.organization(organization.SETTING_OVERRIDES):
        given = row["Parameters"] or ()
        parameters = given if isinstance(given, str) else ", ".join(map(str, given))
        text = f"{row['ComponentName']}/{row['SectionName']}: {parameters}"
        yield Row(f"setting override {row['Name']}", text)


def _signs_as(evidence: Evidence) -> Iterator[Row]:
    built = builds(evidence.config, evidence.observed)
    found = dedicated_application.read(evidence.observed, built)
    shared = f"the shared first-party principal {EXCHANGE_ONLINE}"
    if not found.in_use:
        yield Row("Exchange signs as", shared)
    elif missing := found.missing(found.application_id) or (
        "" if found.application_id else "EvoSts names no application"
    ):
        text = f"{shared}, for the dedicated application is not complete: {missing}"
        yield Row("Exchange signs as", text, Level.ATTENTION)
    else:
        yield Row("Exchange signs as", f"the dedicated application {found.application_id}")


def _proxy(evidence: Evidence) -> Iterator[Row]:
    found = push_proxy.read(evidence.observed)
    if found is None:
        yield Row(_NOT_SEEN, f"Exchange does not show the push proxy; {_BY_HAND}", Level.ATTENTION)
    elif found.enabled:
        yield Row("push proxy", f"enabled for {found.organization or '-'} at {found.uri or '-'}")
    else:
        yield Row("push proxy", "disabled", Level.ATTENTION)


def _tries(evidence: Evidence) -> Iterator[Row]:
    """What came of the probe, and of asking for a token, on each server where it was tried."""
    config, observed = evidence.config, evidence.observed
    for server in observed.answered:
        looks = {"probe": probes.probe(config, server), "token": probes.token_test(config)}
        for name, look in looks.items():
            answer = observed.cmdlets.get((server, look))
            if answer is None:
                continue
            if probes.succeeded(answer.rows):
                yield Row(f"{name} on {server}", "succeeded")
                continue
            if answer.error:
                yield Row(f"{name} on {server}", probes.shown(str(answer.error)), Level.ATTENTION)
                continue
            words = probes.words(answer.rows)
            why = cause("", words or "-") if name == "token" else cause(words, None)
            text = with_cure(probes.shown(words), of_try(why))
            yield Row(f"{name} on {server}", text, Level.ATTENTION)


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Auth servers that stand in for one another, and servers that get no token."""
    tenant_id = evidence.observed.tenant_id
    serving = {s.name for s in first_look.auth_servers(evidence.observed) if s.serves(tenant_id)}
    doubled = sorted(_doubled(evidence) - serving)  # AuthServerReady tells of those that serve
    if doubled:
        text = f"{', '.join(doubled)}: of one type for one realm; keep one (Remove-AuthServer)"
        yield Finding(Level.ATTENTION, "auth servers", text)
    unseen = _read(evidence, _proxy)[0]
    if unseen.name == _NOT_SEEN:
        yield Finding(Level.ATTENTION, "push proxy", unseen.text)
    if evidence.plans["Verified"].finding.status == "False":
        return  # it has the cause and the cure
    look = probes.token_test(evidence.config)
    for server in evidence.observed.answered:
        answer = evidence.observed.cmdlets.get((server, look))
        if answer is None or answer.error or probes.succeeded(answer.rows):
            continue
        why = cause("", probes.words(answer.rows) or "-")
        yield Finding(Level.BROKEN, server, f"Test-OAuthConnectivity: {failed_try(why)}")
