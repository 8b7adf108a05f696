"""The ceiling: the stream's functions in a plain loop without an engine, and msgspec's decoding alone.

``functions``: each record goes through all that the job's operator calls (unframe, decode, validate, order,
deduplicate, rows of every lake output encoded); state is kept as the job keeps it, as bytes, in dicts. ``decode``:
the same events, read before, decoded with the contract's types and nothing else. Both on one core.
"""

import sys
import time
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Final

import msgspec

from bench.contender import WARM_UP_SHARE, Measurement
from bench.input import ARRIVAL_MS, read_records
from bench.program import ProgramContender, StopWatch, Task, highest_memory_bytes, task, tell
from codewave.contract.events import AnyEvent
from codewave.contract.frame import Header
from udfs.attempt import Start
from udfs.isolate import Written, take
from udfs.quarantine import Record
from udfs.room import Rows
from udfs.rows import LAKE_OUTPUTS, EventRow
from udfs.rules import DEFAULT_RULES

_CHUNKS: Final = 40
"""In which the events are decoded: read some, decode them, read the next."""
_PASSES: Final = 8
"""How often decoding alone is measured with the same events: once would be too short."""
_read_header = msgspec.json.Decoder(Header).decode
_outputs: Final = frozenset(LAKE_OUTPUTS)
_event_outputs: Final = tuple(name for name, row in LAKE_OUTPUTS.items() if issubclass(row, EventRow))


def engineless_contenders() -> list[ProgramContender]:
    """Both ceilings."""
    return [
        ProgramContender("functions", "Our functions in a loop, no engine", __name__, "functions"),
        ProgramContender("decode", "msgspec's decoding alone", __name__, "decode", deduplicates=False),
    ]


def header_of(record: bytes) -> Header:
    """The header of a record that has one."""
    return _read_header(record[: record.index(b"\n")])


def stored_events(rows: Rows) -> int:
    """How many events are among the rows of a step."""
    return sum(len(rows[output]) for output in _event_outputs if output in rows)


class RoomInBytes:
    """A room between its records, as the job keeps it."""

    __slots__ = ("_keys", "_room", "_room_id")

    def __init__(self, room_id: str, room: bytes | None = None, keys: dict[str, bytes] | None = None) -> None:
        self._room_id = room_id
        self._room = room
        self._keys = keys or {}

    def take(self, work: Record | int, now_ms: int) -> Written:
        """Make one step of a record, or of the time that a timer tells, and keep the state it leaves."""
        written = take(Start(self._room_id, self._room, self._keys.get, DEFAULT_RULES, now_ms), work, _outputs)
        self._room = written.room
        self._keys.update(written.keys)
        return written

    def state(self) -> tuple[str, bytes | None, dict[str, bytes]]:
        """All that must outlive a crash."""
        return self._room_id, self._room, dict(self._keys)


def run_functions(told: Task) -> Measurement:
    """Every record through the stream's functions."""
    rooms: dict[str, RoomInBytes] = {}
    stored = 0
    watch = StopWatch(told)
    for partition, (records, _) in enumerate(told.files):
        shard_id = f"shardId-{partition:012d}"
        for number, data in enumerate(read_records(records)):
            header = header_of(data)
            room = rooms.get(header.room_id) or rooms.setdefault(header.room_id, RoomInBytes(header.room_id))
            arrived_at = header.sent_at + ARRIVAL_MS
            written = room.take(Record(data, shard_id, str(number), arrived_at), arrived_at)
            stored += stored_events(written.rows)
            watch.passed(header.count)
    watch.stop()
    return watch.measurement(stored)


def run_decode(told: Task) -> Measurement:
    """Every event through msgspec, several times over; reading the file is not measured."""
    decode = msgspec.json.Decoder(AnyEvent).decode
    measurement = Measurement(0, 0.0, 0.0, 0, time.time() - told.spawned_at, 0)
    size = max(1, told.events // _CHUNKS)
    lines = chain.from_iterable(_lines(events) for _, events in told.files)
    while chunk := list(islice(lines, size)):
        began, cpu_began = time.perf_counter(), time.process_time()
        for _ in range(_PASSES):
            for line in chunk:
                decode(line)
        ended, cpu_ended = time.perf_counter(), time.process_time()
        if measurement.stored >= told.events * WARM_UP_SHARE:
            measurement.events += len(chunk) * _PASSES
            measurement.seconds += ended - began
            measurement.cpu_seconds += cpu_ended - cpu_began
        measurement.stored += len(chunk)
    measurement.rss_bytes = highest_memory_bytes()
    return measurement


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=1 << 20) as file:
        yield from file


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    tell({"functions": run_functions, "decode": run_decode}[kind](task(rest)))
