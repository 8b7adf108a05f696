"""The keyed operator: Flink's state and timers around :mod:`udfs.room`, and nothing else."""

import time
from collections.abc import Iterator
from typing import Any

import msgspec
from pyflink.common import Time, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, StateTtlConfig, ValueStateDescriptor

from udfs.quarantine import Record
from udfs.room import Rows, Step, wants_timer
from udfs.rules import Rules
from udfs.state import KeyStates, read_room, write_room
from udfs.stream_clock import StreamClock

_encode = msgspec.msgpack.Encoder().encode


class RoomEvents(KeyedProcessFunction):
    """Decode, validate, order, deduplicate: one record of a room in, one encoded batch of rows per output out."""

    def __init__(self, rules: Rules, outputs: frozenset[str], state_ttl_days: int) -> None:
        self._rules_json = msgspec.json.encode(rules)
        self._outputs = outputs
        self._state_ttl_days = state_ttl_days

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the state handles: one value for the room, one map entry per ordering key."""
        ttl = _time_to_live(self._state_ttl_days)
        room = ValueStateDescriptor("room", Types.PICKLED_BYTE_ARRAY())
        keys = MapStateDescriptor("ordering_keys", Types.STRING(), Types.PICKLED_BYTE_ARRAY())
        room.enable_time_to_live(ttl)
        keys.enable_time_to_live(ttl)
        self._room = runtime_context.get_state(room)
        self._keys = runtime_context.get_map_state(keys)
        self._rules = msgspec.json.decode(self._rules_json, type=Rules)
        self._clock = StreamClock(_now_ms(), self._rules.shard_idle_ms)

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[tuple[str, bytes]]:
        """Take in one record: ``value`` is ``(data, shard_id, sequence_number, arrived_at)``."""
        now_ms = _now_ms()
        record = Record(value[0], value[1], value[2], value[3])
        self._clock.observe(record.shard_id, record.arrived_at, now_ms)
        room = read_room(self._room.value())
        keys = KeyStates(self._keys.get)
        rows = Step(ctx.get_current_key(), room, keys, self._rules, now_ms).process(record)
        self._save(room, keys, ctx, now_ms)
        yield from self._emit(rows)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[tuple[str, bytes]]:
        """Close the gaps of a room in which nothing comes in any more."""
        now_ms = max(timestamp, _now_ms())
        room = read_room(self._room.value())
        keys = KeyStates(self._keys.get)
        clock = self._clock.read(room.shard_id, room.clock, now_ms)
        rows = Step(ctx.get_current_key(), room, keys, self._rules, now_ms).fire(clock)
        self._save(room, keys, ctx, now_ms)
        yield from self._emit(rows)

    def _save(self, room: Any, keys: KeyStates, ctx: Any, now_ms: int) -> None:
        self._room.update(write_room(room))
        for ordering_key, state in keys.written():
            self._keys.put(ordering_key, state)
        if wants_timer(room):
            # Rounded up, so that a busy room registers one timer per timeout and not one per record.
            timeout = self._rules.gap_timeout_ms
            ctx.timer_service().register_processing_time_timer((now_ms // timeout + 2) * timeout)

    def _emit(self, rows: Rows) -> Iterator[tuple[str, bytes]]:
        wanted = self._outputs
        for output, batch in rows.items():
            if output in wanted:
                yield output, _encode(batch)


def _time_to_live(days: int) -> StateTtlConfig:
    # PyFlink's default clean-up makes a java.time.Duration through the client's gateway, which in a TaskManager would
    # start a second JVM; with the clean-up named and a time of its own given, it does not.
    return (
        StateTtlConfig.new_builder(Time.days(days))
        .set_update_type(StateTtlConfig.UpdateType.OnCreateAndWrite)
        .disable_cleanup_in_background()
        .cleanup_in_rocksdb_compact_filter(1000, Time.days(30))
        .build()
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
