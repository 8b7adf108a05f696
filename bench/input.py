"""The input that every contender gets: generated once from a seed, kept on disk, the same in every run.

Rooms take turns: in a round of 200 ms of the stream's time each sends one record, a hot room as many as its share
demands. The arrival of a record is its header's ``sent_at`` plus :data:`ARRIVAL_MS`.
"""

import hashlib
import random
import shutil
import struct
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from bench.traffic import RoomTraffic, Texts
from codewave.contract.frame import Header, frame

GENERATOR_VERSION: Final = 3
"""Raise it with every change of what is generated: kept inputs are then made anew."""
START_MS: Final = 1_767_225_600_000
"""2026-01-01T00:00:00Z; which day it is does not matter."""
ROUND_MS: Final = 200
"""In which every room sends once: less than the gap timeout, so that no gap times out in a reordered pair."""
ARRIVAL_MS: Final = 100
"""From a record's ``sent_at`` to its arrival in the stream."""
_LENGTH: Final = struct.Struct(">I")
_BUFFER_BYTES: Final = 1 << 20
_SUMMARY: Final = "summary.json"


class InputSpec(Struct, frozen=True, kw_only=True):
    """What is generated; the same spec gives the same bytes."""

    events: int
    """With their duplicates; rounded down to whole records."""
    events_per_record: int = 50
    rooms: int = 200
    hot_share: float = 0.0
    """Share of all records that the first room sends; 0: no more than the others."""
    partitions: int = 1
    duplicates: float = 0.02
    reorder: float = 0.01
    """Share of the events that come after their successor."""
    seed: int = 7
    lines: bool = True
    """Whether the events are written one a line as well."""


class Input(Struct, frozen=True):
    """A generated input."""

    spec: InputSpec
    folder: Path
    records: list[Path]
    """One file a partition: of each record its length (4 bytes, big-endian), then its bytes (:func:`read_records`)."""
    events: list[Path]
    """The same events in the same order, one a line; none where the spec wants none."""
    distinct: int
    """Events that must be stored."""
    duplicates: int
    bytes: int
    """Of the events' JSON, without line breaks."""
    by_type: dict[str, int]
    """Distinct events of each type."""

    @property
    def count(self) -> int:
        """Events with their duplicates."""
        return self.distinct + self.duplicates


class _Summary(Struct):
    distinct: int
    duplicates: int
    bytes: int
    by_type: dict[str, int]


def prepared(spec: InputSpec, folder: Path) -> Input:
    """Generate what ``spec`` says, or find it where it was generated before.

    :param folder: holds the inputs, each in a folder of its own.
    """
    target = folder / f"input-{_name(spec)}"
    if not (target / _SUMMARY).exists():
        making = target.with_suffix(".part")
        for old in (making, target):
            shutil.rmtree(old, ignore_errors=True)
        making.mkdir(parents=True)
        summary = _generate(spec, making)
        (making / _SUMMARY).write_bytes(msgspec.json.encode(summary))
        making.rename(target)
    known = msgspec.json.decode((target / _SUMMARY).read_bytes(), type=_Summary)
    return Input(spec, target, *_files(spec, target), known.distinct, known.duplicates, known.bytes, known.by_type)


def read_records(path: Path) -> Iterator[bytes]:
    """The records of one file of :attr:`Input.records`, as they came from the stream."""
    with path.open("rb", buffering=_BUFFER_BYTES) as file:
        while length := file.read(_LENGTH.size):
            yield file.read(_LENGTH.unpack(length)[0])


def _name(spec: InputSpec) -> str:
    text = msgspec.json.encode([GENERATOR_VERSION, spec])
    return hashlib.blake2s(text, digest_size=6).hexdigest()


def _files(spec: InputSpec, folder: Path) -> tuple[list[Path], list[Path]]:
    numbers = range(spec.partitions)
    lines = [folder / f"{n}.jsonl" for n in numbers] if spec.lines else []
    return [folder / f"{n}.records" for n in numbers], lines


def turns(spec: InputSpec) -> list[int]:
    """The rooms of one round in their order; a hot room has its turns spread evenly over it."""
    if not spec.hot_share:
        return list(range(spec.rooms))
    others = list(range(1, spec.rooms))
    hot = max(1, round(spec.hot_share * len(others) / (1 - spec.hot_share)))
    placed = [((place + 0.5) / len(others), room) for place, room in enumerate(others)]
    placed += [(place / hot, 0) for place in range(hot)]
    return [room for _, room in sorted(placed)]


def _generate(spec: InputSpec, folder: Path) -> _Summary:
    chance = random.Random(spec.seed)  # noqa: S311 -- reproducible, no secret
    texts = Texts(chance)
    one_round = turns(spec)
    count = max(1, spec.events // spec.events_per_record)
    asked = Counter(islice(cycle(one_round), count))
    rooms = {
        number: RoomTraffic(number, records * spec.events_per_record, spec.duplicates, spec.reorder, chance, texts)
        for number, records in asked.items()
    }
    size = 0
    record_files, event_files = _files(spec, folder)
    with _Files(record_files, event_files) as files:
        for index, number in enumerate(islice(cycle(one_round), count)):
            sent_at = START_MS + index * ROUND_MS // len(one_round)
            room = rooms[number]
            lines = room.take(spec.events_per_record, sent_at)
            header = Header(1, room.room_id, len(lines), "zstd", "bench", index + 1, sent_at)
            files.write(number % spec.partitions, frame(header, lines), lines)
            size += sum(map(len, lines))
    by_type: Counter[str] = Counter()
    for room in rooms.values():
        by_type.update(room.by_type)
    return _Summary(by_type.total(), sum(room.duplicated for room in rooms.values()), size, dict(by_type))


class _Files:
    """The files of all partitions, open for writing."""

    def __init__(self, records: list[Path], events: list[Path]) -> None:
        self._records: list[BinaryIO] = [path.open("wb", buffering=_BUFFER_BYTES) for path in records]
        self._events: list[BinaryIO] = [path.open("wb", buffering=_BUFFER_BYTES) for path in events]

    def __enter__(self) -> "_Files":
        return self

    def __exit__(self, *_: object) -> None:
        for file in [*self._records, *self._events]:
            file.close()

    def write(self, partition: int, record: bytes, lines: list[bytes]) -> None:
        self._records[partition].write(_LENGTH.pack(len(record)) + record)
        if self._events:
            self._events[partition].write(b"\n".join(lines) + b"\n")
