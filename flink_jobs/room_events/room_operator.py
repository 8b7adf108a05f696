"""The keyed operator: Flink's state and timers around :mod:`udfs.room`, and nothing else."""

import logging
import time
from typing import Any, Final

import msgspec
from pyflink.common import Time, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, StateTtlConfig, ValueStateDescriptor

from flink_jobs.room_events.metrics import Metrics
from flink_jobs.room_events.state_cache import StateCache
from udfs.attempt import Start
from udfs.failure import told
from udfs.isolate import Allowance, Isolation, IsolationRules, Work, Written, take
from udfs.quarantine import Record
from udfs.rules import Rules
from udfs.state import read_room
from udfs.stream_clock import StreamClock
from udfs.timer import next_timer

_log = logging.getLogger("room_events")
_encode = msgspec.msgpack.Encoder().encode

_allowances: Final[dict[str, Allowance]] = {}
"""By job and subtask, for as long as the process lives: a restart of the job must not grant a new allowance."""


class RoomEvents(KeyedProcessFunction):
    """Decode, validate, order, deduplicate: one record of a room in, its rows out, encoded in one value."""

    def __init__(self, rules: Rules, outputs: frozenset[str], state_ttl_days: int, isolation: IsolationRules) -> None:
        self._rules_json = msgspec.json.encode(rules)
        self._isolation_json = msgspec.json.encode(isolation)
        self._outputs = outputs
        self._state_ttl_days = state_ttl_days

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the state handles: one value for the room, one map entry per ordering key."""
        ttl = _time_to_live(self._state_ttl_days)
        room = ValueStateDescriptor("room", Types.PICKLED_BYTE_ARRAY())
        keys = MapStateDescriptor("ordering_keys", Types.STRING(), Types.PICKLED_BYTE_ARRAY())
        room.enable_time_to_live(ttl)
        keys.enable_time_to_live(ttl)
        self._cache = StateCache(runtime_context.get_state(room), runtime_context.get_map_state(keys))
        self._rules = msgspec.json.decode(self._rules_json, type=Rules)
        self._clock = StreamClock(_now_ms(), self._rules.shard_idle_ms)
        self._metrics = Metrics(runtime_context.get_metrics_group())
        isolation = msgspec.json.decode(self._isolation_json, type=IsolationRules)
        allowance = _allowances.setdefault(_subtask(runtime_context), Allowance(isolation))
        self._isolation = Isolation(isolation, self._outputs, allowance)

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> list[bytes]:
        """Take in one record: ``value`` is ``(data, shard_id, sequence_number, arrived_at)``.

        One that arrived before 1970 is none: a checkpoint comes, and the room has to be in it (``CheckpointFlush``).
        """
        record = Record(value[0], value[1], value[2], value[3])
        if record.arrived_at < 0:
            self._cache.write(ctx.get_current_key())
            return []
        now_ms = _now_ms()
        self._clock.observe(record.shard_id, record.arrived_at, now_ms)
        return self._step(self._start(ctx, now_ms), record, ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> list[bytes]:
        """Close the gaps and the silent executions of a room in which nothing comes in any more."""
        self._cache.timer_fired(ctx.get_current_key())
        now_ms = max(timestamp, _now_ms())
        start = self._start(ctx, now_ms)
        room = read_room(start.room)
        sent_along = ctx.timer_service().current_watermark()
        clock = self._clock.read(room.shard_id, room.clock, now_ms, heard_ms=min(timestamp, sent_along))
        batches = self._step(start, clock, ctx)
        self._cache.write(start.room_id)  # no record may come of it before the next checkpoint, and then no marker
        return batches

    def _start(self, ctx: Any, now_ms: int) -> Start:
        room_id = ctx.get_current_key()
        room, read = self._cache.enter(room_id, now_ms)
        return Start(room_id, room, read, self._rules, now_ms)

    def _step(self, start: Start, work: Work, ctx: Any) -> list[bytes]:
        failure: Exception | None = None
        try:
            written = take(start, work, self._outputs)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 -- a bug of ours may raise anything
            failure = error
        if failure is not None:  # outside of the block above, or every later failure would name this one as its cause
            written = self._isolation.recover(start, work, failure)
            _tell(written, failure)
        self._save(written, start, ctx)
        self._metrics.update(written)
        return [_encode(written.batches)] if written.batches else []

    def _save(self, written: Written, start: Start, ctx: Any) -> None:
        self._cache.change(start.room_id, written.room, written.keys, written.ended)
        at = next_timer(written.state, self._rules, start.now_ms)
        if at is not None and self._cache.is_new_timer(start.room_id, at):
            ctx.timer_service().register_processing_time_timer(at)


def _tell(written: Written, error: Exception) -> None:
    """Log what was isolated, without any content of events."""
    for one in written.isolated:
        _log.error("isolated %s", one)
    if not written.isolated:
        _log.warning(
            "passed when it was tried again, after %d failures: %s", written.failures, told(error, own_words=False)
        )


def _subtask(runtime_context: RuntimeContext) -> str:
    java_context = runtime_context._runtime_context
    return f"{java_context.getJobInfo().getJobId()}/{runtime_context.get_index_of_this_subtask()}"


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
