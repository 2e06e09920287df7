"""Several operators on one cluster: one works, the others stand by, and no two ever write."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from end_to_end.looking import assert_configured
from lab import wait
from lab.replicas import FLAGS, Replicas
from lab.running import RunningLab
from lab.tcp_proxy import TcpProxy

TAKES_OVER = 60.0  # seconds; how long it really takes is measured by make bench-failover


@pytest.fixture
def replicas(running_lab: RunningLab) -> Iterator[Replicas]:
    running_lab.stop_operator()
    running_lab.control.post("/reset")
    with Replicas(running_lab) as found:
        yield found


def test_one_works_and_the_other_one_is_ready_and_silent(replicas: Replicas) -> None:
    lab = replicas.lab
    leader = replicas.first()
    standby = replicas.standby()

    lab.apply()
    lab.wait_ready()

    assert replicas.changes(leader) != []
    assert replicas.calls(standby) == []
    for one, leads in ((leader, 1.0), (standby, 0.0)):
        told = f'exchange_push_leader{{lease="exchange-push-operator"}} {leads}\n'
        assert told in one.health("/metrics")[1]
        assert one.health("/livez") == (200, "ok\n")
        assert one.health("/readyz") == (200, "ok\n")


def test_where_no_lease_is_the_first_one_leads_after_its_stand_in_has_stood(
    replicas: Replicas,
) -> None:
    replicas.delete_lease()
    first = replicas.start()
    stand_in = wait.until(replicas.lease, 60, "a stand-in")
    assert "acquireTime" not in stand_in
    assert not stand_in["holderIdentity"]
    wait.until(lambda: "leads now" in first.log, 60, "it to lead")
    assert replicas.lease()["leaseTransitions"] == 0


def test_ended_by_sigterm_it_hands_over_and_waits_for_nothing(replicas: Replicas) -> None:
    lab = replicas.lab
    leader = replicas.first()
    standby = replicas.standby()
    lab.apply()
    lab.wait_ready()
    before = replicas.lease()

    assert leader.stop() == 0
    wait.until(lambda: replicas.calls(standby), TAKES_OVER, "the standby to work")

    lab.control.cmdlet("Disable-PushNotificationProxy", Confirm=False)
    wait.until(lambda: replicas.changes(standby), 30, "the standby to correct")
    after = replicas.lease()
    assert after["leaseTransitions"] == before["leaseTransitions"] + 1
    assert after["holderIdentity"] != before["holderIdentity"]
    replicas.assert_one_after_another(leader, standby)
    # It did not wait for the lease to run out: it had been given back.
    assert "leads now" in standby.log


def test_killed_in_the_middle_of_a_change_another_one_goes_on(replicas: Replicas) -> None:
    lab = replicas.lab
    lab.control.post("/reset", authCertificate=False)
    leader = replicas.first()
    standby = replicas.standby()
    lab.control.post("/hold", matching="Set-AuthConfig", when="before", changes=True)
    lab.apply()
    wait.until(lambda: lab.control.get("/hold")["held"], 60, "a change to be held")

    leader.kill()
    lab.control.post("/release")
    wait.until(lambda: replicas.calls(standby), TAKES_OVER, "the standby to work")

    lab.wait_ready()
    assert_configured(lab)
    replicas.assert_one_after_another(leader, standby)


def test_frozen_for_longer_than_its_lease_and_woken_it_writes_nothing_more(
    replicas: Replicas,
) -> None:
    lab = replicas.lab
    lab.control.post("/reset", latency=0.1)  # so that there is much left to be done
    leader = replicas.first()
    standby, third = replicas.standby(), replicas.standby()
    lab.apply()
    wait.until(lambda: replicas.changes(leader), 60, "the first change")

    leader.freeze()
    at_work = wait.until(
        lambda: [one for one in (standby, third) if replicas.calls(one)],
        TAKES_OVER,
        "another one to work",
    )
    leader.thaw()

    assert leader.ended(60) == 1
    assert "does not lead any more" in leader.log
    lab.wait_ready()
    assert_configured(lab)
    (next_one,) = at_work
    replicas.assert_one_after_another(leader, next_one)
    (idle,) = {standby, third} - {next_one}
    assert replicas.calls(idle) == []


def test_cut_off_from_the_api_server_it_ends_before_another_one_begins(
    replicas: Replicas,
) -> None:
    lab = replicas.lab
    with TcpProxy(lab.cluster.url) as proxy:
        leader = replicas.start(*FLAGS, f"--kubeconfig={proxy.kubeconfig(lab.operator_kubeconfig)}")
        wait.until(lambda: "leads now" in leader.log, 60, "the first replica to lead")
        standby = replicas.standby()
        lab.apply()
        lab.wait_ready()

        proxy.swallow()  # the worst cut: nothing is refused, nothing is answered
        wait.until(lambda: "does not lead any more" in leader.log, 60, "the leader to give up")
        assert replicas.calls(standby) == []
        wait.until(lambda: replicas.calls(standby), TAKES_OVER, "the standby to work")

        assert leader.ended(60) == 1
        replicas.assert_one_after_another(leader, standby)
