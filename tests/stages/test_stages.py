"""All stages: their order, and what one does that says nothing about it."""

from __future__ import annotations

from answers import NOW, config, entry, seen
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.looks import Looks, Observations
from exchange_push_operator.core.plan import Plan, holds
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.stage import Retirement, Stage
from exchange_push_operator.stages import STAGES


def test_each_stage_builds_on_those_before_it() -> None:
    assert [stage.condition for stage in STAGES] == [
        "PrerequisitesMet",
        "CertificateReady",
        "AuthServerReady",
        "PrincipalCredentialReady",
        "ProxyReady",
        "Verified",
    ]


def test_a_stage_asks_for_nothing_more_and_undoes_nothing_unless_it_says_so() -> None:
    def observe(_asked: PushConfig, _observed: Observations) -> str:
        return "seen"

    def plan(_asked: PushConfig, _observed: str, _now: object) -> Plan:
        return Plan(holds(Reason.MET, "met"))

    stage = Stage("Bare", lambda _asked: Looks(), observe, plan)
    assert stage.more(config(), seen()).organization == ()
    assert stage.retire(config(), "seen", NOW) == Retirement()


def test_a_configuration_that_is_as_declared_plans_nothing() -> None:
    asked, observed = config(), seen(keys=[entry()])
    for stage in STAGES[:-1]:
        plan = stage.plan(asked, stage.observe(asked, observed), NOW)
        assert (plan.finding.status, plan.steps) == ("True", ()), stage.condition
