"""What wakes a resource, what a pass writes, and what happens when something goes wrong."""

import logging
import threading
from typing import Any

import pytest

from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.config import ABANDON, RECONCILE_REQUESTED_AT, SUSPENDED
from exchange_push_operator.core.conflict import Peers
from exchange_push_operator.core.errors import Unreachable
from exchange_push_operator.core.events import Event
from exchange_push_operator.core.schedule import Requeue
from exchange_push_operator.reconcile import Memory, Outcome
from handlers.bench import STEADY, Bench, Script, ready, until

NEVER = Requeue("never", 3600, 120)


def test_a_new_object_is_looked_at_and_its_status_is_written() -> None:
    with Bench() as bench:
        bench.objects.create("a")
        until(lambda: bench.status("a")["observedGeneration"] == 1, "the status")
        assert bench.objects.writes == ["status"]


def test_our_own_write_wakes_nobody() -> None:
    with Bench() as bench:
        bench.objects.create("a")
        until(lambda: bench.objects.writes, "the write")
        bench.objects.create("b")
        bench.settle(looks=2)
        assert bench.looks == ["a", "b"]


def test_nothing_is_written_when_nothing_has_changed() -> None:
    with Bench(max_interval=0.01) as bench:
        bench.objects.create("a")
        bench.settle(looks=5)
        assert bench.objects.writes == ["status"]


def test_a_tuple_in_a_status_is_the_list_that_is_stored() -> None:
    def tuples(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        return Outcome(ready(resource, servers=({"name": "ex1"},)), STEADY)

    with Bench(tuples, max_interval=0.01) as bench:
        bench.objects.create("a")
        bench.settle(looks=3)
        assert bench.objects.writes == ["status"]


def test_what_is_listed_at_the_start_is_looked_at() -> None:
    with Bench() as bench:
        watch, bench.objects.watch = bench.objects.watch, lambda _change, _resource: None
        names = [f"config-{number}" for number in range(150)]
        for name in names:
            bench.objects.create(name)
        bench.objects.watch = watch
        for name in names:
            bench.watched(None, bench.objects.stored[name])
        until(lambda: len(bench.objects.writes) == 150, "all statuses")
        assert sorted(bench.looks) == sorted(names)


@pytest.mark.parametrize("annotation", [RECONCILE_REQUESTED_AT, SUSPENDED])
def test_an_annotation_that_asks_for_something_wakes_the_object(annotation: str) -> None:
    with Bench() as bench:
        bench.objects.create("a")
        bench.settle(looks=1)
        bench.objects.annotate("a", annotation, "true")
        bench.settle(looks=2)


def test_an_annotation_of_somebody_else_wakes_nobody() -> None:
    with Bench() as bench:
        bench.objects.create("a")
        until(lambda: bench.objects.writes, "the write")
        bench.objects.annotate("a", "example.com/note", "hello")
        bench.objects.create("b")
        bench.settle(looks=2)
        assert bench.looks == ["a", "b"]


def test_an_edit_cuts_a_back_off_short() -> None:
    def fails_at_first(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        good = resource["spec"].get("good")
        return Outcome(ready(resource), STEADY if good else Requeue("stalled", 3600, 3600))

    with Bench(fails_at_first) as bench:
        bench.objects.create("a")
        bench.settle(looks=1)
        bench.objects.edit_spec("a", good=True)
        until(lambda: bench.status("a")["observedGeneration"] == 2, "the second generation")


def test_an_edit_during_a_pass_is_looked_at_afterwards_and_never_at_the_same_time() -> None:
    running, go_on = threading.Event(), threading.Event()

    def slow(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        running.set()
        go_on.wait(10)
        return Outcome(ready(resource), STEADY)

    with Bench(slow) as bench:
        bench.objects.create("a")
        running.wait(10)
        bench.objects.edit_spec("a", colour="blue")
        go_on.set()
        until(lambda: bench.status("a")["observedGeneration"] == 2, "the second generation")
        # The status of the first generation was never written over the second one.
        assert bench.objects.writes == ["status"]


@pytest.mark.parametrize("brake", ["spec", SUSPENDED])
def test_a_pass_learns_at_once_that_its_object_was_edited(brake: str) -> None:
    running, told = threading.Event(), []

    def slow(resource: Resource, _peers: Peers, memory: Memory) -> Outcome:
        told.append(memory.superseded())
        if not running.is_set():
            running.set()
            until(memory.superseded, "the edit")
        return Outcome(ready(resource), STEADY)

    with Bench(slow) as bench:
        bench.objects.create("a")
        running.wait(10)
        if brake == "spec":
            bench.objects.edit_spec("a", colour="blue")
        else:
            bench.objects.annotate("a", brake, "true")
        until(lambda: bench.objects.writes, "the write")
        assert told == [False, False]


def test_a_conflict_is_answered_with_a_fresh_look() -> None:
    with Bench() as bench:
        stale = iter([True])

        def label() -> None:
            if next(stale, False):
                bench.objects.edit("a", lambda it: it["metadata"].update(labels={}), spec=False)

        bench.objects.before_write = label
        bench.objects.create("a")
        until(lambda: bench.objects.writes, "the write")
        assert bench.looks == ["a", "a"]


def test_what_was_done_is_told_even_if_the_status_could_not_be_written() -> None:
    def tells(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        events = (Event("Normal", "ProxyEnabled", "enabled the proxy"),)
        return Outcome(ready(resource), NEVER, events=events)

    def cut() -> None:
        raise Unreachable("the API server does not answer")

    with Bench(tells) as bench:
        bench.objects.before_write = cut
        bench.objects.create("a")
        until(lambda: bench.recorder.events, "the event")
        assert bench.recorder.events[0] == ("a", "ProxyEnabled")


def test_an_api_server_that_does_not_answer_is_asked_again() -> None:
    with Bench() as bench:
        failures = iter([True, True])

        def cut() -> None:
            if next(failures, False):
                raise Unreachable("the API server does not answer")

        bench.objects.before_read = cut
        bench.objects.create("a")
        until(lambda: bench.objects.writes, "the write")


def test_a_bug_is_logged_with_its_traceback_and_harms_nobody_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bugs = iter([True, True])

    def buggy(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        if resource["metadata"]["name"] == "a" and next(bugs, False):
            raise KeyError("thumbprint")
        return Outcome(ready(resource), STEADY)

    with caplog.at_level(logging.ERROR), Bench(buggy) as bench:
        bench.objects.create("a")
        bench.objects.create("b")
        until(lambda: len(bench.objects.writes) == 2, "both statuses")
        assert bench.looks.count("a") == 3
    assert all(record.exc_info for record in caplog.records)


def test_a_bug_behind_the_pass_takes_no_worker_away(caplog: pytest.LogCaptureFixture) -> None:
    """What is told of a resource is counted after its pass."""

    def odd(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        ends = {"certificate": {"notAfter": "soon"}} if resource["metadata"]["name"] == "a" else {}
        return Outcome(ready(resource, **ends), STEADY)

    with caplog.at_level(logging.ERROR), Bench(odd, workers=1, retry_interval=60) as bench:
        bench.objects.create("a")
        until(lambda: caplog.records, "the bug")
        bench.objects.create("b")
        until(lambda: len(bench.objects.writes) == 2, "both statuses")


def test_a_resource_whose_servers_hang_keeps_no_other_one_waiting() -> None:
    go_on = threading.Event()

    def hanging(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        if resource["metadata"]["name"].startswith("dead"):
            go_on.wait(10)
        return Outcome(ready(resource), NEVER)

    with Bench(hanging, workers=3) as bench:
        bench.objects.create("dead-1")
        bench.objects.create("dead-2")
        until(lambda: len(bench.looks) == 2, "both to hang")
        for name in ("a", "b", "c"):
            bench.objects.create(name)
        until(lambda: bench.objects.writes.count("status") == 3, "the others' statuses")
        for _ in range(3):
            bench.objects.annotate("a", RECONCILE_REQUESTED_AT, f"again {len(bench.looks)}")
            looks = len(bench.looks)
            until(lambda looks=looks: len(bench.looks) > looks, "another pass of it")  # type: ignore[misc]
        go_on.set()


@pytest.mark.parametrize("known", [True, False], ids=["same organization", "same first server"])
def test_one_slow_organization_with_many_resources_keeps_no_other_one_waiting(
    known: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    go_on = threading.Event()

    def slow(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        if resource["metadata"]["name"].startswith("slow"):
            go_on.wait(10)
        return Outcome({**resource["status"], **ready(resource)}, NEVER)

    with Bench(slow, workers=8) as bench:
        for number in range(20):
            bench.objects.create(
                f"slow-{number}",
                spec={"exchange": {"servers": [{"name": f"EX1{'' if known else '.corp'}"}]}},
                **({"organizationId": "org"} if known else {}),
            )
        until(lambda: len(bench.looks) == 2, "the lane to be full")
        for name in ("a", "b", "c"):
            bench.objects.create(name)
        until(lambda: set(bench.looks) >= {"a", "b", "c"}, "the others to be looked at")
        assert sum(name.startswith("slow") for name in bench.looks) == 2
        go_on.set()
        until(lambda: len(set(bench.looks)) == 23, "everybody's turn")


def test_sixteen_resources_with_dead_servers_keep_neither_new_nor_known_ones_waiting() -> None:
    """Each names another first server, so each has a lane of its own."""
    go_on = threading.Event()

    def dead(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        if resource["metadata"]["name"].startswith("dead") and go_on.wait(20):
            return Outcome({**resource["status"], **ready(resource)}, Requeue("retry", 0.01, 0.01))
        return Outcome({**resource["status"], **ready(resource)}, NEVER)

    with Bench(dead, workers=16) as bench:
        for number in range(16):
            servers = [{"name": f"dead-{number}.corp"}]
            bench.objects.create(f"dead-{number}", spec={"exchange": {"servers": servers}})
        until(lambda: len(bench.looks) == 12, "all the workers that the dead may have")
        for number in range(5):
            bench.objects.create(f"known-{number}", organizationId=f"org-{number}")
        known = {f"known-{number}" for number in range(5)}
        until(lambda: set(bench.looks) >= known, "the known ones")
        go_on.set()
        until(lambda: len({name for name in bench.looks if "dead" in name}) == 16, "all the dead")
        go_on.clear()
        bench.objects.create("new")
        until(lambda: "new" in bench.looks, "the new one")
        go_on.set()


def test_a_pass_that_takes_long_says_so_and_its_end_is_written_too() -> None:
    go_on = threading.Event()

    def slow(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        go_on.wait(10)
        return Outcome(ready(resource), STEADY)

    with Bench(slow, progress_after=0.01) as bench:
        bench.objects.create("a")
        until(lambda: "progressing" in bench.status("a"), "progress")
        go_on.set()
        until(lambda: "progressing" not in bench.status("a"), "the end")
        assert bench.objects.writes == ["status", "status"]
        assert bench.looks == ["a"]


def test_a_routine_look_says_nothing_however_long_it_takes() -> None:
    waiting, go_on = threading.Event(), threading.Event()
    go_on.set()

    def slow(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        waiting.set()
        go_on.wait(10)
        return Outcome(ready(resource), NEVER)

    with Bench(slow, progress_after=0.01) as bench:
        bench.objects.create("a")
        until(lambda: bench.status("a") == ready(bench.objects.stored["a"]), "the first status")
        written = list(bench.objects.writes)
        waiting.clear()
        go_on.clear()
        bench.objects.annotate("a", ABANDON, "later")
        waiting.wait(10)
        threading.Timer(0.05, go_on.set).start()
        bench.settle(looks=2)
        assert bench.objects.writes == written


def test_progress_that_cannot_be_written_does_not_let_go_of_the_key() -> None:
    go_on = threading.Event()

    def slow(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        go_on.wait(10)
        return Outcome(ready(resource), STEADY)

    with Bench(slow, progress_after=0.01) as bench:
        tries: list[str] = []

        def cut_once() -> None:
            tries.append("try")
            if len(tries) == 1:
                raise Unreachable("the API server does not answer")

        bench.objects.before_write = cut_once
        bench.objects.create("a")
        until(lambda: tries, "the first try")
        go_on.set()
        until(lambda: bench.objects.writes, "the end")
        assert bench.looks == ["a"]


def seeing(peers_seen: dict[str, list[str | None]]) -> Script:
    """Find out the organisation of the spec; keep what was known of the others."""

    def script(resource: Resource, peers: Peers, _memory: Memory) -> Outcome:
        name = resource["metadata"]["name"]
        peers_seen[name] = [peer.organization_id for peer in peers("org")]
        return Outcome(ready(resource, organizationId="org"), NEVER)

    return script


def test_an_organization_is_known_to_the_next_pass_without_the_watch() -> None:
    seen: dict[str, list[str | None]] = {}
    with Bench(seeing(seen), workers=1) as bench:
        bench.objects.create("a")
        bench.objects.create("b")
        bench.call(bench.mute_the_watch)
        # a is looked at, then b, which sees a's; then both again, because b joined a.
        until(lambda: bench.looks == ["a", "b", "a", "b"], "four looks")
        until(lambda: seen == {"a": ["org"], "b": ["org"]}, "both to know each other")


def test_an_old_sight_of_the_watch_does_not_undo_what_we_wrote() -> None:
    seen: dict[str, list[str | None]] = {}
    with Bench(seeing(seen)) as bench:
        bench.objects.create("a")
        old = {**bench.objects.stored["a"], "status": {}}
        old["metadata"] = dict(old["metadata"])
        until(lambda: bench.objects.writes, "the write")
        bench.watched("MODIFIED", old)
        bench.objects.create("b")
        until(lambda: seen.get("b") == ["org"], "b to see the organisation of a")


def test_whoever_waits_for_an_organization_is_woken_when_it_is_free() -> None:
    seen: dict[str, list[str | None]] = {}
    with Bench(seeing(seen)) as bench:
        bench.objects.create("a", organizationId="org")
        bench.objects.create("b", organizationId="org")
        bench.objects.create("c", organizationId="another")
        until(lambda: len(bench.objects.writes) == 3, "all looked at")
        until(lambda: seen.get("b") == ["org", "org"], "b to know all")
        bench.objects.delete("a")
        until(lambda: seen["b"] == ["org"], "b to see that a is gone")


def test_memory_is_kept_between_passes_and_dropped_with_the_object() -> None:
    memories: list[Memory] = []

    def keeping(resource: Resource, _peers: Peers, memory: Memory) -> Outcome:
        memories.append(memory)
        return Outcome(ready(resource), NEVER)

    with Bench(keeping) as bench:
        bench.objects.create("a")
        bench.settle(looks=1)
        bench.objects.edit_spec("a", colour="blue")
        bench.settle(looks=2)
        bench.objects.delete("a")
        bench.objects.create("a")
        bench.settle(looks=3)
    assert memories[0] is memories[1]
    assert memories[2] is not memories[1]


def test_an_object_whose_end_was_missed_is_forgotten_at_the_next_look() -> None:
    seen: dict[str, list[str | None]] = {}
    with Bench(seeing(seen)) as bench:
        bench.objects.create("a")
        until(lambda: bench.objects.writes, "the write")
        bench.objects.create("b")
        until(lambda: seen == {"a": ["org"], "b": ["org"]}, "both to know each other")
        sight = bench.objects.vanish("a")
        sight["metadata"].update(generation=2, resourceVersion="1000000")
        bench.watched("MODIFIED", sight)
        until(lambda: seen["b"] == [], "b to see that a is gone")


def test_the_late_end_of_an_object_does_not_take_its_successor_away() -> None:
    seen: dict[str, list[str | None]] = {}
    with Bench(seeing(seen)) as bench:
        bench.objects.create("a")
        until(lambda: bench.objects.writes, "the write")
        late = bench.objects.stored["a"]
        bench.objects.vanish("a")
        bench.objects.create("a")
        until(lambda: bench.status("a").get("organizationId"), "the successor's status")
        bench.watched("DELETED", late)
        bench.objects.create("b")
        until(lambda: seen.get("b") == ["org"], "b to see the successor")


def holding(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
    """Disable: a finalizer first, and off with it when the object is deleted."""
    metadata: dict[str, Any] = resource["metadata"]
    if "deletionTimestamp" in metadata:
        return Outcome(resource["status"], NEVER, finalizer=False)
    if not metadata.get("finalizers"):
        return Outcome(resource["status"], Requeue("now", 3600, 120), finalizer=True)
    return Outcome(ready(resource), STEADY)


def test_a_finalizer_is_put_on_before_anything_else_and_taken_off_in_the_end() -> None:
    with Bench(holding) as bench:
        bench.objects.create("a")
        until(lambda: bench.status("a")["observedGeneration"] == 1, "the second pass")
        assert bench.objects.writes == ["finalizer on", "status"]
        bench.objects.delete("a")
        until(lambda: "a" not in bench.objects.stored, "the object to go")
        assert bench.objects.writes == ["finalizer on", "status", "finalizer off"]


def test_without_a_finalizer_a_deletion_asks_nobody() -> None:
    with Bench() as bench:
        bench.objects.create("a")
        until(lambda: bench.objects.writes, "the write")
        bench.objects.delete("a")
        bench.objects.create("b")
        bench.settle(looks=2)
        assert bench.looks == ["a", "b"]


def test_a_stop_waits_for_the_pass_that_runs_and_begins_no_other() -> None:
    running, go_on = threading.Event(), threading.Event()

    def slow(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        running.set()
        go_on.wait(10)
        return Outcome(ready(resource), STEADY)

    with Bench(slow, workers=1) as bench:
        bench.objects.create("a")
        running.wait(10)
        bench.objects.create("b")
        threading.Timer(0.05, go_on.set).start()
        assert bench.stop() is True
        assert bench.looks == ["a"]
        assert bench.status("a")["observedGeneration"] == 1


def test_a_stop_does_not_wait_for_ever() -> None:
    running, go_on = threading.Event(), threading.Event()

    def stuck(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        running.set()
        go_on.wait(10)
        return Outcome(ready(resource), STEADY)

    with Bench(stuck) as bench:
        bench.objects.create("a")
        running.wait(10)
        assert bench.stop(grace=0.01) is False
        go_on.set()
