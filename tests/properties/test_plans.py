"""What no plan may ever hold, whatever the organisation looks like."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings

from answers import NOW, ORGANIZATION_ID, body
from any_organization import POOL, Case, case, numbers, reordered
from exchange_push_operator.core import (
    certificate_store,
    dedicated_application,
    organization,
    principal,
    probes,
    push_proxy,
)
from exchange_push_operator.core.builds import builds
from exchange_push_operator.core.commands import Cmdlet, GraphRequest
from exchange_push_operator.core.config import Target
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.key_credentials import (
    KeyCredential,
    own_key_ids,
    read_credentials,
)
from exchange_push_operator.core.looks import ORGANIZATION
from exchange_push_operator.core.plan import Plan, Step, plan_hash
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.safety import check_cmdlet, check_write, still_valid
from exchange_push_operator.core.x509 import Certificate
from exchange_push_operator.reconcile.judge import judge
from exchange_push_operator.stages import STAGES, prerequisites, principal_credential, verification

Plans = Mapping[str, Plan]

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}:\d{2}")
_CERTIFICATE = {"Set-AuthConfig", "New-ExchangeCertificate"}
_COPY = "Copy-ExchangeCertificate"
_NEEDS_AUTH_CONFIG = {*_CERTIFICATE, _COPY}


def steps_of(plans: Plans) -> list[Step]:
    return [step for plan in plans.values() for step in plan.steps]


def names(plans: Plans) -> set[str]:
    return {s.command.name for s in steps_of(plans) if isinstance(s.command, Cmdlet)}


def what_auth_config_names_is_never_replaced(case: Case, plans: Plans) -> None:
    assert not (case.names_current and names(plans) & _CERTIFICATE)


def nothing_is_removed(_case: Case, plans: Plans) -> None:
    assert not any(name.startswith("Remove-") for name in names(plans))


def no_transport_role_is_taken(_case: Case, plans: Plans) -> None:
    for step in steps_of(plans):
        if isinstance(step.command, Cmdlet) and step.command.name == "New-ExchangeCertificate":
            parameters = dict(step.command.parameters)
            assert "Force" not in parameters
            assert parameters["Services"] == "None"


def the_last_look_before_a_step_lets_every_plan_pass(case: Case, plans: Plans) -> None:
    asked = case.observed.cmdlets[ORGANIZATION, organization.AUTH_CONFIG]
    if asked.error is not None:  # then a step of another stage fails when it is performed
        assert not names(plans) & _NEEDS_AUTH_CONFIG
        return
    for step in steps_of(plans):
        check_cmdlet(step, organization.auth_config(case.observed))


def in_setup(case: Case, server: str) -> bool:
    rows = case.observed.cmdlets[server, organization.LOCAL_SERVER].rows
    return any(row["SetupRunning"] for row in rows)


def tells_the_time_alone(case: Case, look: Cmdlet) -> bool:
    return look == organization.LOCAL_SERVER and case.asked.roll_over is None


def nothing_is_planned_where_something_needed_could_not_be_seen(case: Case, plans: Plans) -> None:
    for stage in STAGES:
        if not plans[stage.condition].steps:
            continue
        looks = stage.looks(case.asked)
        for look in looks.organization:
            # Whose key is added is a matter of all servers only while AuthConfig names none.
            spared = stage is principal_credential.STAGE and case.names_current
            spared = spared and look == organization.EXCHANGE_SERVERS
            # An advisory's words; whether a dedicated one may be written is PrerequisitesMet's.
            worded = look in dedicated_application.looks(case.asked).organization
            spared = spared or (worded and stage is principal_credential.STAGE)
            # The directory only contradicts what -WhatIf shows.
            spared = spared or look == push_proxy.DIRECTORY
            assert spared or not case.observed.cmdlets[ORGANIZATION, look].error
        assert not any(isinstance(case.observed.graph_answers[r], PushError) for r in looks.graph)
        # A server that is not probed has no say in restarts, nor has it the list of its probes.
        tried = stage is verification.STAGE
        for name in verification.targets(case.observed) if tried else case.observed.answered:
            for look in looks.server(name):
                failed = case.observed.cmdlets[name, look].error
                # Under Setup a server is in maintenance, whatever Exchange's cmdlets say there.
                spared = look == organization.component_states(name) and in_setup(case, name)
                # A clock is for dates, and only a roll-over sets any.
                spared = spared or (
                    stage is principal_credential.STAGE and tells_the_time_alone(case, look)
                )
                assert not failed or spared or look == probes.monitoring_items(name)


def prerequisites_are_met_only_by_servers_that_can(case: Case, plans: Plans) -> None:
    """Listed or not, away or not: none that is known to be too old, none that is not known."""
    if plans[prerequisites.STAGE.condition].finding.status != "True":
        return
    asked, observed = case.asked, case.observed
    known = builds(asked, observed)
    assert set(map(str.lower, asked.servers)) <= set(known)
    assert all(build.version >= prerequisites.OLDEST for build in known.values())
    every = organization.exchange_servers(observed)
    assert {server.fqdn for server in every} == set(known)
    answering = set(map(str.lower, observed.answered))
    assert any(server.mailbox and server.fqdn in answering for server in every)


def no_key_is_written_for_a_dedicated_application_that_is_not_used(
    case: Case, plans: Plans
) -> None:
    finding = plans[prerequisites.STAGE.condition].finding
    # Then the walk performs nothing but what this stage plans, which is no key.
    blocked = finding.status == "False" or finding.reason is Reason.NOT_OBSERVED
    if blocked or case.asked.target is not Target.DEDICATED:
        return
    application = dedicated_application.read(case.observed, builds(case.asked, case.observed))
    assert not application.missing(case.asked.app_id)
    assert not application.unseen


def no_certificate_is_made_before_every_server_was_seen(case: Case, plans: Plans) -> None:
    if not names(plans) & _CERTIFICATE:
        return
    assert not case.observed.away
    for server in organization.unlisted(case.observed, case.asked.servers):
        look = certificate_store.certificates_on(server.fqdn, None)
        assert case.observed.cmdlets[ORGANIZATION, look].error is None


def a_server_that_is_away_or_in_maintenance_is_not_written_to(case: Case, plans: Plans) -> None:
    for step in steps_of(plans):
        if step.server is not None:
            assert step.server in case.observed.answered
            assert not organization.local_server(case.observed, step.server).maintenance


def a_certificate_is_copied_to_a_listed_server_that_is_seen_to_lack_it(
    case: Case, plans: Plans
) -> None:
    for step in steps_of(plans):
        if not isinstance(step.command, Cmdlet) or step.command.name != _COPY:
            continue
        parameters = dict(step.command.parameters)
        target, thumbprint = str(parameters["Server"]), str(parameters["Thumbprint"])
        assert target in case.observed.answered
        assert not organization.local_server(case.observed, target).maintenance
        assert thumbprint not in certificate_store.stored_certificates(case.observed, target)
        assert step.server is not None
        source = certificate_store.stored_certificates(case.observed, step.server)
        assert source[thumbprint].has_private_key


def what_signs_is_restarted_on_one_server_at_a_time_and_with_no_server_away(
    case: Case, plans: Plans
) -> None:
    restarted = {step.server for step in steps_of(plans) if step.event == "ServiceRestarted"}
    assert len(restarted) <= 1
    assert not (restarted and case.observed.away)
    assert not (restarted and not case.asked.restart_services)


def is_known(entry: KeyCredential, of: Certificate) -> bool:
    """By content or digest; where Graph tells neither, one of ours is known by its id."""
    ours = entry.key_id in own_key_ids(ORGANIZATION_ID, of)
    return entry.is_of(of) or (ours and entry.digest is None)


def a_certificate_becomes_current_after_its_key_reached_the_principal(
    case: Case, plans: Plans
) -> None:
    answer = case.observed.graph_answers.get(principal.request(case.asked))
    for step in steps_of(plans):
        if step.event != "CertificateAssigned" or not case.asked.needs_entra:
            continue
        assert answer is not None
        assert not isinstance(answer, PushError)
        (of,) = (of for of in POOL if of.thumbprint == step.target)
        assert any(is_known(key, of) for key in read_credentials(answer))


def a_write_carries_every_entry_as_it_was_read(case: Case, plans: Plans) -> None:
    answer = case.observed.graph_answers.get(principal.request(case.asked))
    for step in steps_of(plans):
        if not isinstance(step.command, GraphRequest):
            continue
        assert step.guard is not None
        assert answer is not None
        assert not isinstance(answer, PushError)
        assert still_valid(step.guard, read_credentials(answer))
        sent = {raw["keyId"]: raw for raw in body(step.command)}
        assert len(sent) == len(body(step.command))
        for raw in answer["keyCredentials"]:
            if raw["keyId"].lower() not in step.guard.may_go:
                assert sent.pop(raw["keyId"]) == {k: v for k, v in raw.items() if k != "key"}
        assert all(raw["key"] for raw in sent.values())


def a_second_try_drops_only_what_it_has_leave_for(case: Case, plans: Plans) -> None:
    answer = case.observed.graph_answers.get(principal.request(case.asked))
    for step in steps_of(plans):
        if step.guard is None:
            continue
        assert answer is not None
        assert not isinstance(answer, PushError)
        entries = read_credentials(answer)
        for form in step.fallbacks:
            check_write(form, step.guard, entries, again=True)
        expired = {entry.key_id for entry in entries if entry.expired(NOW)}
        assert step.guard.at_last <= expired


def a_stage_with_steps_tells_a_fact(_case: Case, plans: Plans) -> None:
    """A key is renewed while the one that is there still does."""
    for name, plan in plans.items():
        renews = name == principal_credential.STAGE.condition and plan.finding.status == "True"
        assert not plan.steps or plan.finding.status == "False" or renews


def only_a_key_of_ours_is_removed_and_only_beside_another_of_its_certificate(
    case: Case, plans: Plans
) -> None:
    answer = case.observed.graph_answers.get(principal.request(case.asked))
    for step in steps_of(plans):
        if step.event != "KeyCredentialRemoved":
            continue
        assert step.guard is not None
        assert answer is not None
        assert not isinstance(answer, PushError)
        entries = {entry.key_id: entry for entry in read_credentials(answer)}
        kept = [entries[key_id] for key_id in set(entries) - step.guard.may_go]
        for gone in (entries[key_id] for key_id in step.guard.may_go):
            (of,) = (of for of in POOL if gone.key_id in own_key_ids(ORGANIZATION_ID, of))
            assert is_known(gone, of)
            left = [replace(entry, certificate=of) for entry in kept if is_known(entry, of)]
            assert any(entry.verifies(of, NOW) for entry in left)


def nothing_that_is_said_moves_with_the_time(case: Case, plans: Plans) -> None:
    assert judge(case.asked, case.observed, NOW + timedelta(minutes=59)) == plans
    for plan in plans.values():
        said = [plan.finding.message, *(advisory.message for advisory in plan.advisories)]
        assert not any(_MOMENT.search(message) or "\n" in message for message in said)


EVENTS = {
    "AuthServerCorrected",
    "AuthServerCreated",
    "CertificateAssigned",
    "CertificateCreated",
    "CertificateImported",
    "HealthManagerRestarted",
    "KeyCredentialAdded",
    "KeyCredentialRemoved",
    "PartnerApplicationEnabled",
    "ProxyDisabled",
    "ProxyEnabled",
    "ServiceRestarted",
    "TransportCertificateRestored",
}
RULES: tuple[Callable[[Case, Plans], None], ...] = (
    what_auth_config_names_is_never_replaced,
    nothing_is_removed,
    no_transport_role_is_taken,
    the_last_look_before_a_step_lets_every_plan_pass,
    nothing_is_planned_where_something_needed_could_not_be_seen,
    prerequisites_are_met_only_by_servers_that_can,
    no_key_is_written_for_a_dedicated_application_that_is_not_used,
    no_certificate_is_made_before_every_server_was_seen,
    a_server_that_is_away_or_in_maintenance_is_not_written_to,
    a_certificate_is_copied_to_a_listed_server_that_is_seen_to_lack_it,
    what_signs_is_restarted_on_one_server_at_a_time_and_with_no_server_away,
    a_certificate_becomes_current_after_its_key_reached_the_principal,
    a_write_carries_every_entry_as_it_was_read,
    a_second_try_drops_only_what_it_has_leave_for,
    a_stage_with_steps_tells_a_fact,
    only_a_key_of_ours_is_removed_and_only_beside_another_of_its_certificate,
    nothing_that_is_said_moves_with_the_time,
)


# One test for all rules: making an organisation up takes longer than looking at its plans.
@settings(max_examples=80, deadline=None)
@given(numbers)
def test_whatever_the_organisation_every_rule_holds(number: int) -> None:
    made = case(number)
    plans = judge(made.asked, made.observed, NOW)
    for rule in RULES:
        rule(made, plans)
    turned = judge(made.asked, reordered(made.observed, number), NOW)
    assert turned == plans
    assert plan_hash(steps_of(turned)) == plan_hash(steps_of(plans))


def test_the_organisations_of_these_tests_are_of_many_kinds() -> None:
    """A rule is worth nothing where nothing is planned."""
    met: set[str] = set()
    planned: set[str] = set()
    for number in range(80):
        made = case(number)
        plans = judge(made.asked, made.observed, NOW)
        met.update(plan.finding.reason for plan in plans.values())
        planned.update(step.event for step in steps_of(plans))
    assert len(met) > 30
    assert planned == EVENTS
