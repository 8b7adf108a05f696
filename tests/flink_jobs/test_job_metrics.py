"""The job's metrics count what the rows of a step say, once a record."""

from typing import Any

import example_rooms as rooms
import pytest

from codewave.contract.events import Event
from flink_jobs.room_events import metrics
from flink_jobs.room_events.metrics import COUNTERS, GROUP, NAMES, PROCESS_DELAY_LAST, PROCESS_DELAY_MAX, Metrics
from udfs.attempt import Start
from udfs.isolate import Written, take
from udfs.quarantine import Record
from udfs.rows import OUTPUTS
from udfs.rules import Rules

ARRIVED_MS = rooms.START_MS + 60_000


class FakeMetric:
    """A counter, gauge, meter or histogram: what it was told, and how often."""

    def __init__(self) -> None:
        self.value = 0
        self.calls = 0

    def inc(self, number: int = 1) -> None:
        self.value += number
        self.calls += 1

    mark_event = inc

    def update(self, value: int) -> None:
        self.value = value
        self.calls += 1


class FakeGroup:
    """Flink's metric group, as far as it is used."""

    def __init__(self) -> None:
        self.groups: dict[str, FakeGroup] = {}
        self.metrics: dict[str, FakeMetric] = {}

    def add_group(self, name: str) -> "FakeGroup":
        return self.groups.setdefault(name, FakeGroup())

    def counter(self, name: str) -> FakeMetric:
        return self.metrics.setdefault(name, FakeMetric())

    distribution = counter

    def meter(self, name: str, _: int) -> FakeMetric:
        return self.counter(name)


class Operator:
    """What one subtask's metrics show after some steps of one room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(metrics, "_histogram", lambda group, name: group.counter(name))
        group = FakeGroup()
        self._metrics = Metrics(group)  # type: ignore[arg-type]
        self.shown = group.groups[GROUP].metrics
        self._room: bytes | None = None
        self._keys: dict[str, bytes] = {}

    def send(self, *events: Event, after_ms: int = 0, delay_ms: int = 5) -> Written:
        record = Record(rooms.record(list(events)), "shard-1", "1", ARRIVED_MS + after_ms)
        return self._step(record, record.arrived_at + delay_ms)

    def fire(self, after_ms: int) -> Written:
        return self._step(ARRIVED_MS + after_ms, ARRIVED_MS + after_ms)

    def update(self, written: Written) -> None:
        self._metrics.update(written)

    def _step(self, work: Any, now_ms: int) -> Written:
        start = Start(rooms.ROOM, self._room, self._keys.get, Rules(release="test"), now_ms)
        written = take(start, work, frozenset(OUTPUTS))
        self._room = written.room
        self._keys |= dict(written.keys)
        self._metrics.update(written)
        return written

    def counted(self) -> dict[str, int]:
        return {name: self.shown[name].value for name in COUNTERS if self.shown[name].value}


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> Operator:
    return Operator(monkeypatch)


def test_every_metric_is_there_from_the_start(operator: Operator):
    assert set(operator.shown) == set(NAMES)


def test_what_became_of_events_is_counted_as_the_audit_counts_it(operator: Operator):
    operator.send(rooms.edit(1), rooms.edit(1), rooms.edit(3), rooms.chat(1, room="elsewhere"))
    assert operator.counted() == {
        "eventsReceived": 4,
        "eventsStored": 1,
        "eventsDuplicate": 1,
        "eventsPending": 1,
        "eventsQuarantined": 1,
        "quarantined_wrong_room": 1,
    }
    assert operator.shown["eventsPerSecond"].value == 4


def test_gaps_releases_and_late_events_are_counted(operator: Operator):
    operator.send(rooms.edit(2))
    operator.fire(after_ms=2_000)
    operator.send(rooms.edit(1), after_ms=3_000)
    counted = operator.counted()
    assert (counted["gapsDeclared"], counted["eventsReleased"], counted["eventsLate"]) == (1, 1, 1)


def test_lost_executions_are_counted(operator: Operator):
    operator.send(rooms.queued(1), rooms.started(2))
    operator.fire(after_ms=3_600_000)
    assert operator.counted()["executionsLost"] == 1


def test_failures_and_what_was_isolated_are_counted(operator: Operator):
    written = operator.send(rooms.chat(1))
    written.failures, written.isolated = 3, ["somewhere"]
    operator.update(written)
    assert (operator.counted()["stepFailures"], operator.counted()["isolated"]) == (3, 1)


def test_the_delay_is_the_last_records_and_the_highest_of_the_last_minute_at_most(operator: Operator):
    shown = []
    for after_ms, delay_ms in ((0, 5), (1_000, 900), (2_000, 7), (31_000, 500), (95_000, 9)):
        operator.send(rooms.heartbeat(1), after_ms=after_ms, delay_ms=delay_ms)
        shown.append((operator.shown[PROCESS_DELAY_LAST].value, operator.shown[PROCESS_DELAY_MAX].value))
    assert shown == [(5, 5), (900, 900), (7, 900), (500, 900), (9, 9)]


def test_a_timer_has_no_delay(operator: Operator):
    operator.send(rooms.edit(2))
    operator.fire(after_ms=2_000)
    assert operator.shown[PROCESS_DELAY_LAST].calls == 1


def test_a_record_of_many_events_costs_as_many_updates_as_one_of_few(operator: Operator):
    def calls(*events: Event) -> int:
        before = sum(metric.calls for metric in operator.shown.values())
        operator.send(*events)
        return sum(metric.calls for metric in operator.shown.values()) - before

    few = calls(*(rooms.edit(number) for number in range(1, 3)))
    assert calls(*(rooms.edit(number) for number in range(3, 100))) <= few <= 6
