"""Kubernetes events: counted when they repeat, rationed, and never in the way."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exchange_push_operator.adapters.kubernetes_api import KubernetesApi
from exchange_push_operator.adapters.kubernetes_events import (
    BURST,
    REFILL,
    RESERVED,
    SERIES_WINDOW,
    EventRecorder,
)
from exchange_push_operator.core.errors import Unreachable
from exchange_push_operator.core.events import Event

TROUBLE = Event("Warning", "ProbeFailed", "the probe fails on ex1")
ENABLED = Event("Normal", "ProxyEnabled", "enabled the proxy")
START = datetime(2026, 11, 21, 9, tzinfo=UTC)


def resource(name: str = "fabrikam") -> dict[str, Any]:
    metadata = {"namespace": "exchange", "name": name, "uid": f"uid-{name}", "resourceVersion": "7"}
    return {
        "apiVersion": "exchangepush.dev/v1alpha1",
        "kind": "ExchangePushConfig",
        "metadata": metadata,
    }


def distinct(count: int) -> tuple[Event, ...]:
    return tuple(Event("Normal", "DriftCorrected", f"drift {number}") for number in range(count))


def warnings(count: int) -> tuple[Event, ...]:
    return tuple(Event("Warning", "ProbeFailed", f"failure {number}") for number in range(count))


class Api(KubernetesApi):
    """Keeps what is sent; ``expired`` events answer 404."""

    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []
        self.counted: list[dict[str, Any]] = []
        self.expired = False
        self.answer: Callable[[], None] = lambda: None

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Any:
        self.answer()
        if method == "POST":
            assert path == "/apis/events.k8s.io/v1/namespaces/exchange/events"
            self.created.append(body)
            return body
        assert content_type == "application/merge-patch+json"
        assert path.rpartition("/")[2] in {one["metadata"]["name"] for one in self.created}
        if self.expired:
            return None
        self.counted.append(body)
        return body


class Bench:
    """Tells events and writes them before it goes on."""

    def __init__(self) -> None:
        self.api, self.now = Api(), START
        self._recorder = EventRecorder(self.api, lambda: self.now, "pod-1")

    def tell(self, *events: Event, name: str = "fabrikam") -> None:
        self._recorder.record(resource(name), events)
        self._recorder.write_waiting()

    def later(self, span: timedelta) -> None:
        self.now += span


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_an_event_says_who_what_when_and_about_which_object(bench: Bench) -> None:
    bench.tell(ENABLED)
    (event,) = bench.api.created
    assert event["metadata"].pop("name").startswith("fabrikam.")
    assert event == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": "exchange"},
        "eventTime": "2026-11-21T09:00:00.000000Z",
        "type": "Normal",
        "reason": "ProxyEnabled",
        "action": "Reconcile",
        "note": "enabled the proxy",
        "regarding": {
            "apiVersion": "exchangepush.dev/v1alpha1",
            "kind": "ExchangePushConfig",
            "namespace": "exchange",
            "name": "fabrikam",
            "uid": "uid-fabrikam",
            "resourceVersion": "7",
        },
        "reportingController": "exchangepush.dev/operator",
        "reportingInstance": "pod-1",
    }


def test_the_same_again_is_counted(bench: Bench) -> None:
    bench.tell(ENABLED)
    bench.later(timedelta(minutes=5))
    bench.tell(ENABLED)
    bench.later(timedelta(minutes=5))
    bench.tell(ENABLED)
    assert len(bench.api.created) == 1
    assert [patch["series"]["count"] for patch in bench.api.counted] == [2, 3]
    last = bench.api.counted[-1]["series"]["lastObservedTime"]
    assert last == "2026-11-21T09:10:00.000000Z"


@pytest.mark.parametrize(
    "other",
    [
        Event("Warning", "ProxyEnabled", "enabled the proxy"),
        Event("Normal", "DriftCorrected", "enabled the proxy"),
        Event("Normal", "ProxyEnabled", "enabled the proxy again"),
    ],
    ids=["type", "reason", "message"],
)
def test_something_else_is_an_event_of_its_own(bench: Bench, other: Event) -> None:
    bench.tell(ENABLED, other)
    assert (len(bench.api.created), bench.api.counted) == (2, [])


def test_the_same_of_another_object_is_an_event_of_its_own(bench: Bench) -> None:
    bench.tell(ENABLED)
    bench.tell(ENABLED, name="contoso")
    assert len(bench.api.created) == 2


def test_the_same_after_a_long_silence_is_a_new_event(bench: Bench) -> None:
    bench.tell(ENABLED)
    bench.later(SERIES_WINDOW + timedelta(seconds=1))
    bench.tell(ENABLED)
    assert len(bench.api.created) == 2


def test_an_event_that_has_expired_is_made_anew(bench: Bench) -> None:
    bench.tell(ENABLED)
    bench.api.expired = True
    bench.tell(ENABLED)
    assert len(bench.api.created) == 2


def test_an_object_has_a_budget_that_fills_up_slowly(bench: Bench) -> None:
    bench.tell(*warnings(BURST + 5))
    assert len(bench.api.created) == BURST
    bench.later(2 * REFILL)
    bench.tell(*warnings(BURST + 10)[BURST + 5 :])
    assert len(bench.api.created) == BURST + 2


def test_a_busy_day_does_not_hide_a_warning(bench: Bench) -> None:
    bench.tell(*distinct(3 * BURST), TROUBLE)
    assert [one["type"] for one in bench.api.created].count("Normal") == BURST - RESERVED
    assert bench.api.created[-1]["reason"] == "ProbeFailed"


def test_a_warning_that_comes_again_and_again_does_not_hide_another_one(bench: Bench) -> None:
    for _ in range(3 * BURST):
        bench.tell(TROUBLE)
    bench.tell(Event("Warning", "Expired", "the certificate has expired"))
    assert [one["reason"] for one in bench.api.created] == ["ProbeFailed", "Expired"]
    assert len(bench.api.counted) == BURST - RESERVED - 1


def test_all_writes_about_an_object_are_within_its_budget(bench: Bench) -> None:
    for _ in range(2 * BURST):
        bench.tell(TROUBLE, *distinct(1), *warnings(2 * BURST))
    assert len(bench.api.created) + len(bench.api.counted) == BURST


def test_an_object_that_has_spent_its_budget_takes_nothing_from_others(bench: Bench) -> None:
    bench.tell(*warnings(BURST + 1))
    bench.tell(ENABLED, name="contoso")
    assert len(bench.api.created) == BURST + 1


def test_an_event_that_cannot_be_written_is_logged_and_dropped(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> None:
        raise Unreachable("the API server does not answer")

    bench.api.answer = refuse
    with caplog.at_level(logging.WARNING):
        bench.tell(ENABLED)
    bench.api.answer = lambda: None
    bench.tell(Event("Normal", "AuthServerCreated", "created MicrosoftSts"))
    assert [one["reason"] for one in bench.api.created] == ["AuthServerCreated"]
    assert "ProxyEnabled" in caplog.text


@pytest.mark.parametrize("trouble", [ValueError("<html>"), KeyError("uid"), RecursionError()])
def test_the_thread_outlives_every_event(
    trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble() -> None:
        if not troubles:
            return
        raise troubles.pop()

    troubles, api = [trouble, trouble], Api()
    api.answer = stumble
    recorder = EventRecorder(api, lambda: START, "pod-1")
    recorder.start()
    recorder.record(resource(), distinct(3))
    recorder.close(10)
    assert [one["note"] for one in api.created] == ["drift 2"]
    said = [record for record in caplog.records if "dropped" in record.message]
    assert [bool(record.exc_info) for record in said] == [True, False]


def test_half_of_a_surrogate_pair_is_written_as_a_question_mark(bench: Bench) -> None:
    bench.tell(Event("Warning", "ChangeFailed", "the server said \ud83d"))
    assert bench.api.created[0]["note"] == "the server said ?"


def test_a_long_message_is_cut_to_what_the_api_takes(bench: Bench) -> None:
    bench.tell(Event("Warning", "ProbeFailed", "ä" * 2000))
    assert bench.api.created[0]["note"] == "ä" * 512


def test_the_name_of_an_event_is_a_name_however_the_object_is_called(bench: Bench) -> None:
    bench.tell(ENABLED, name="a" * 199 + ".b" + "c" * 40)
    stem, _, unique = bench.api.created[0]["metadata"]["name"].rpartition(".")
    assert (stem, len(unique)) == ("a" * 199, 16)


def test_what_waits_is_written_before_the_end() -> None:
    api = Api()
    recorder = EventRecorder(api, lambda: START, "pod-1")
    recorder.start()
    recorder.record(resource(), distinct(10))
    recorder.close(10)
    assert len(api.created) == 10


def test_an_event_is_of_when_it_happened_however_long_it_waits() -> None:
    api, now = Api(), [START]
    recorder = EventRecorder(api, lambda: now[-1], "pod-1")
    recorder.record(resource(), [ENABLED])
    now.append(START + timedelta(minutes=5))
    recorder.write_waiting()
    assert api.created[0]["eventTime"] == "2026-11-21T09:00:00.000000Z"


def test_too_many_events_hold_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    recorder = EventRecorder(Api(), lambda: START, "pod-1")
    with caplog.at_level(logging.WARNING):
        recorder.record(resource(), distinct(20_100))
    assert "too many events" in caplog.text
