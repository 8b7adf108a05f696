"""The operator around the room's functions: when it writes state to Flink, and what a checkpoint's marker does."""

import importlib
import sys
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import example_rooms as rooms
import msgspec
import pytest

from flink_jobs.room_events import metrics
from udfs.isolate import IsolationRules
from udfs.rows import OUTPUTS
from udfs.rules import Rules
from udfs.state import read_room

ARRIVED_MS = rooms.START_MS + 60_000
LAST_MS = 2**63 - 1
MARKER = (b"", "", "", -1)
"""As ``CheckpointFlush`` sends it."""


class KeyedProcessFunction:
    """Of pyflink, which is not there."""

    Context = OnTimerContext = object


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, without pyflink."""
    pyflink = MagicMock(KeyedProcessFunction=KeyedProcessFunction)
    for name in ("pyflink", "pyflink.common", "pyflink.datastream", "pyflink.datastream.state"):
        monkeypatch.setitem(sys.modules, name, pyflink)
    module = importlib.import_module("flink_jobs.room_events.room_operator")
    monkeypatch.setattr(metrics, "_histogram", lambda group, name: group.counter(name))
    monkeypatch.setattr(module, "_now_ms", lambda: ARRIVED_MS + 5)
    return module


class Subtask:
    """An operator with one room: its state in Flink, its timers, its metrics."""

    def __init__(self, module: Any) -> None:
        self.value: bytes | None = None
        """Of the room, with the keys that are written with it."""
        self.apart: dict[str, bytes] = {}
        """Other keys."""
        value = MagicMock(value=lambda: self.value, update=lambda state: setattr(self, "value", state))
        key_map = MagicMock(get=self.apart.get, put=self.apart.__setitem__)
        self.metrics = MagicMock()
        self.sent_along = LAST_MS
        """The clock that came with the records."""
        self.context = MagicMock(get_current_key=lambda: rooms.ROOM)
        self.context.timer_service.return_value.current_watermark = lambda: self.sent_along
        self._operator = module.RoomEvents(Rules(release="test"), frozenset(OUTPUTS), 35, IsolationRules())
        runtime = MagicMock(get_state=lambda _: value, get_map_state=lambda _: key_map)
        runtime.get_metrics_group.return_value.add_group.return_value = self.metrics
        self._operator.open(runtime)

    @property
    def written(self) -> dict[str, bytes]:
        """What a checkpoint would hold now; the room itself without a name."""
        return self.apart | (msgspec.msgpack.decode(self.value) if self.value else {})

    def send(self, *events: Any) -> list[bytes]:
        return self.take(rooms.record(list(events)), "shard-1", "1", ARRIVED_MS)

    def take(self, *record: Any) -> list[bytes]:
        return list(self._operator.process_element(record, self.context))

    def fire(self, at: int) -> list[bytes]:
        return list(self._operator.on_timer(at, self.context))


def test_state_is_written_when_a_marker_comes_and_not_before(module: ModuleType) -> None:
    subtask = Subtask(module)
    assert subtask.send(rooms.chat(1))
    assert subtask.written == {}
    subtask.take(*MARKER)
    assert read_room(subtask.written[""]).shard_id == "shard-1"
    assert list(subtask.written) == ["", rooms.chat(1).ordering_key]


def test_a_marker_is_no_record(module: ModuleType) -> None:
    subtask = Subtask(module)
    subtask.send(rooms.chat(1))
    for seen in (subtask.metrics, subtask.context):
        seen.reset_mock()
    assert subtask.take(*MARKER) == []
    assert subtask.metrics.mock_calls == subtask.context.timer_service.mock_calls == []
    assert "" not in subtask._operator._clock._shards


def test_a_marker_of_a_room_that_has_not_changed_writes_nothing(module: ModuleType) -> None:
    subtask = Subtask(module)
    subtask.send(rooms.chat(1))
    subtask.take(*MARKER)
    subtask.value = b"as it was"
    subtask.take(*MARKER)
    assert subtask.value == b"as it was"


def test_what_a_timer_changes_is_written_at_once_as_no_marker_may_come(module: ModuleType) -> None:
    subtask = Subtask(module)
    subtask.send(rooms.chat(2))
    assert subtask.context.timer_service().register_processing_time_timer.called
    assert subtask.fire(ARRIVED_MS + 10_000), "the gap is declared"
    assert read_room(subtask.written[""]).waiting == {}
    assert list(subtask.written) == ["", rooms.chat(2).ordering_key]


def test_a_timer_closes_no_gap_while_the_clock_that_comes_with_the_records_stands_still(module: ModuleType) -> None:
    subtask = Subtask(module)
    subtask.send(rooms.chat(2))
    subtask.sent_along = ARRIVED_MS
    assert subtask.fire(ARRIVED_MS + 10_000) == []
    assert list(read_room(subtask.written[""]).waiting) == [rooms.chat(2).ordering_key]


def test_the_state_of_an_execution_that_has_ended_is_written_at_once(module: ModuleType) -> None:
    subtask = Subtask(module)
    subtask.send(rooms.queued(1), rooms.started(2), rooms.finished(3), rooms.chat(1))
    assert list(subtask.written) == [rooms.queued(1).ordering_key]
