"""Bytewax with the stream's functions: one worker, keyed by room, the state what the job keeps, outputs discarded.

As in the job, a record is one item, its header names the room, and gaps and silent executions are found by timers.
"""

import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from bytewax import operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from bench.contender import Measurement
from bench.engineless import RoomInBytes, header_of, stored_events
from bench.input import ARRIVAL_MS, read_records
from bench.program import StopWatch, Task, task, tell
from udfs.isolate import Written
from udfs.quarantine import Record
from udfs.rules import DEFAULT_RULES
from udfs.stream_clock import StreamClock
from udfs.timer import next_timer

_BATCH_RECORDS: Final = 20
"""Records that the source gives at a time; with more, or fewer, it is not faster."""

Item = tuple[str, Record, int]
"""Room, record, how many events it holds."""
Output = tuple[int, list[tuple[str, bytes]]]
"""How many events were stored, and the encoded rows of each output."""
State = tuple[str, bytes | None, dict[str, bytes]]
"""Room, its state, the state of its ordering keys."""


class _Partition(StatefulSourcePartition[Item, int]):
    def __init__(self, path: Path, number: int) -> None:
        self._records = enumerate(read_records(path))
        self._shard_id = f"shardId-{number:012d}"
        self._next = 0

    def next_batch(self) -> list[Item]:
        batch = [self._item(number, data) for number, data in islice(self._records, _BATCH_RECORDS)]
        if not batch:
            raise StopIteration
        self._next += len(batch)
        return batch

    def _item(self, number: int, data: bytes) -> Item:
        header = header_of(data)
        record = Record(data, self._shard_id, str(number), header.sent_at + ARRIVAL_MS)
        return header.room_id, record, header.count

    def snapshot(self) -> int:
        return self._next


class _Source(FixedPartitionedSource[Item, int]):
    def __init__(self, files: list[Path]) -> None:
        self._files = files

    def list_parts(self) -> list[str]:
        return [str(number) for number in range(len(self._files))]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> _Partition:  # noqa: ARG002 -- Bytewax' own
        return _Partition(self._files[int(for_part)], int(for_part))


class _Room(StatefulBatchLogic[Item, Output, State | None]):
    def __init__(self, clock: StreamClock, watch: StopWatch, resumed: State | None) -> None:
        self._room = RoomInBytes(*resumed) if resumed else None
        self._clock = clock
        self._watch = watch
        self._timer: int | None = None
        self._shard: tuple[str, int] = ("", 0)

    def on_batch(self, batch: list[Item]) -> tuple[Iterable[Output], bool]:
        now_ms = _now_ms()
        outputs = []
        if self._room is None:  # Bytewax does not say of which key the logic is
            self._room = RoomInBytes(batch[0][0])
        for _, record, count in batch:
            self._clock.observe(record.shard_id, record.arrived_at, now_ms)
            outputs.append(self._output(self._room.take(record, now_ms), now_ms))
            self._watch.passed(count)
        return outputs, StatefulBatchLogic.RETAIN

    def on_notify(self) -> tuple[Iterable[Output], bool]:
        due_ms, now_ms = self._timer, _now_ms()
        assert self._room is not None  # noqa: S101 -- it has asked for the timer
        clock = self._clock.read(*self._shard, now_ms, due_ms)
        return [self._output(self._room.take(clock, now_ms), now_ms)], StatefulBatchLogic.RETAIN

    def notify_at(self) -> datetime | None:
        return None if self._timer is None else datetime.fromtimestamp(self._timer / 1_000, UTC)

    def on_eof(self) -> tuple[Iterable[Output], bool]:
        return (), StatefulBatchLogic.RETAIN

    def snapshot(self) -> State | None:
        return self._room.state() if self._room else None

    def _output(self, written: Written, now_ms: int) -> Output:
        self._timer = next_timer(written.state, DEFAULT_RULES, now_ms)
        self._shard = written.state.shard_id, written.state.clock
        return stored_events(written.rows), written.batches


class _Discard(StatelessSinkPartition[tuple[str, Output]]):
    def __init__(self, sink: "_Sink") -> None:
        self._sink = sink

    def write_batch(self, items: list[tuple[str, Output]]) -> None:
        for _, (stored, _) in items:
            self._sink.stored += stored

    def close(self) -> None:
        self._sink.watch.stop()


class _Sink(DynamicSink[tuple[str, Output]]):
    def __init__(self, watch: StopWatch) -> None:
        self.watch = watch
        self.stored = 0

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Discard:  # noqa: ARG002 -- Bytewax' own
        return _Discard(self)


def run(told: Task) -> Measurement:
    """Every record through the stream's functions, in Bytewax."""
    watch = StopWatch(told)
    sink = _Sink(watch)
    clock = StreamClock(_now_ms(), DEFAULT_RULES.shard_idle_ms)

    flow = Dataflow("room_events")
    records = op.input("records", flow, _Source([records for records, _ in told.files]))
    by_room = op.key_on("room", records, lambda item: item[0])
    written = op.stateful_batch("room_events", by_room, partial(_Room, clock, watch))
    op.output("discard", written, sink)
    run_main(flow)  # type: ignore[no-untyped-call]
    return watch.measurement(sink.stored)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    tell(run(task(sys.argv[1:])))
