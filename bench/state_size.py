"""How much state the stream keeps: measured in a few rooms, reckoned up for all rooms and all keys that still live.

Rooms of generated traffic are run through the stream's functions; the state of each ordering key is measured as it is
written, and multiplied with how many keys there are by the stated daily numbers. Documents stay; sessions and
executions come and go, and each is remembered until it has been idle for as long as state lives (35 days).
"""

import json
import os
import platform
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec
import typer
from msgspec import Struct

from codewave.contract.frame import Header, frame
from codewave.contract.limits import KIB, MIB
from codewave.workload.options import WorkloadOptions
from codewave.workload.rooms import Room
from codewave.workload.steps import Step as WorkloadStep
from codewave.workload.writing import Draft
from udfs.quarantine import Record
from udfs.room import Step
from udfs.rules import DEFAULT_RULES
from udfs.state import KeyStates, key_bytes_bound, read_room, room_bytes_bound, write_room

START_MS: Final = 1_767_225_600_000
"""2026-01-01T00:00:00Z; which day it is does not matter."""
LINGER_MS: Final = 100
"""The client library's batching delay."""
EXPIRY_BYTES: Final = 8
"""Flink writes beside each value when it expires."""
KINDS: Final = ("document", "session", "execution")


class Sizes(Struct):
    """Bytes of state, each key with its name and its time of expiry."""

    keys: dict[str, list[int]] = msgspec.field(default_factory=lambda: {kind: [] for kind in KINDS})
    """Of each ordering key at the end, by kind."""
    largest_key: int = 0
    """Of any ordering key after any record, with what waited then."""
    rooms: list[int] = []
    """Of each room beside its ordering keys, after each record."""


class Line(NamedTuple):
    """One line of the table; ``ratio``: the value's share of its baseline."""

    name: str
    value: float
    unit: str
    baseline: str | None = None
    ratio: float | None = None


BOUND_OF_A_KEY: Final = Line("bound of a key", key_bytes_bound(DEFAULT_RULES), "bytes")
BOUND_OF_A_ROOM: Final = Line("bound of a room", room_bytes_bound(DEFAULT_RULES), "bytes")


class Traffic(Struct, frozen=True):
    """What the measured rooms do."""

    documents: int
    users: int
    seconds: int
    lost: float
    """Share of the records that never come."""
    delayed: float
    """Share that comes up to two seconds later than it should."""


class RoomState:
    """One room's state as the job keeps it: bytes."""

    def __init__(self, room_id: str) -> None:
        self._room_id = room_id
        self._room: bytes | None = None
        self.keys: dict[str, bytes] = {}

    def take(self, data: bytes, arrived_at: int, number: int, sizes: Sizes) -> None:
        """Process one record, and note how large the state is then."""
        room, keys = read_room(self._room), KeyStates(self.keys.get)
        record = Record(data, "shardId-000000000000", str(number), arrived_at)
        Step(self._room_id, room, keys, DEFAULT_RULES, arrived_at).process(record)
        self._room = write_room(room)
        written = dict(keys.written())
        self.keys |= written
        sizes.rooms.append(len(self._room) + len(self._room_id) + EXPIRY_BYTES)
        sizes.largest_key = max([sizes.largest_key, *(_stored_bytes(name, data) for name, data in written.items())])


def _stored_bytes(ordering_key: str, state: bytes) -> int:
    return len(ordering_key) + len(state) + EXPIRY_BYTES


def _room(number: int, seed: int, traffic: Traffic) -> Room:
    options = WorkloadOptions(rooms=number, seconds=traffic.seconds, seed=seed, start_ms=START_MS)
    room = Room(number, 0, options)
    room.users = traffic.users
    room.drafts = [Draft(f"doc-{room.name}-{index}") for index in range(1, traffic.documents + 1)]
    return room


def _records(room: Room, traffic: Traffic, chance: random.Random) -> Iterator[tuple[int, bytes]]:
    """Arrival times and records, in the order of arrival: some are lost, some delayed."""
    batches: dict[int, list[WorkloadStep]] = {}
    for step in room.steps():
        batches.setdefault(step.at_ms // LINGER_MS, []).append(step)
    records = []
    for number, steps in batches.items():
        sent_at = START_MS + (number + 1) * LINGER_MS
        lines = [msgspec.json.encode(step.event) for step in steps]
        delay = chance.randrange(2_000) if chance.random() < traffic.delayed else 50
        if chance.random() >= traffic.lost:
            header = Header(1, room.room_id, len(lines), "identity", "bench", number, sent_at)
            records.append((sent_at + delay, frame(header, lines)))
    yield from sorted(records)


def measure(rooms: int, seed: int, traffic: Traffic) -> Sizes:
    """Run the traffic of so many rooms through the stream's functions."""
    sizes = Sizes()
    for number in range(1, rooms + 1):
        room = _room(number, seed, traffic)
        state = RoomState(room.room_id)
        for place, (arrived_at, data) in enumerate(_records(room, traffic, random.Random(seed + number))):  # noqa: S311
            state.take(data, arrived_at, place, sizes)
        for name, data in state.keys.items():
            sizes.keys[name.partition(":")[0]].append(_stored_bytes(name, data))
    return sizes


class Scale(Struct, frozen=True):
    """How many there are of everything, by a day."""

    rooms: int
    documents: int
    users: int
    sessions_a_user_a_day: float
    executions_a_user_a_day: float
    days: int

    def keys_of_a_room(self) -> dict[str, float]:
        """How many ordering keys of a room are remembered, by kind."""
        return {
            "document": self.documents,
            "session": self.users * self.sessions_a_user_a_day * self.days,
            "execution": self.users * self.executions_a_user_a_day * self.days,
        }


def report(sizes: Sizes, scale: Scale) -> list[Line]:
    """What was measured, and what it comes to."""
    lines, total = [], {}
    for kind, remembered in scale.keys_of_a_room().items():
        of_kind = sizes.keys[kind] or [0]
        total[kind] = statistics.mean(of_kind) * remembered * scale.rooms
        lines += [
            Line(f"{kind} key, median", statistics.median(of_kind), "bytes"),
            _bounded(f"{kind} key, largest", max(of_kind), BOUND_OF_A_KEY),
            Line(f"{kind} keys remembered", remembered * scale.rooms, "keys"),
            Line(f"all {kind} keys", total[kind] / MIB, "MiB"),
        ]
    total["room"] = statistics.median(sizes.rooms) * scale.rooms
    present = statistics.mean(sizes.keys["session"] or [0]) * scale.users * scale.rooms
    everything = sum(total.values())
    return [
        *lines,
        _bounded("any key while events waited, largest", sizes.largest_key, BOUND_OF_A_KEY),
        BOUND_OF_A_KEY,
        Line("room beside its keys, median", statistics.median(sizes.rooms), "bytes"),
        _bounded("room beside its keys, largest", max(sizes.rooms), BOUND_OF_A_ROOM),
        BOUND_OF_A_ROOM,
        Line("open rooms, their documents and sessions", (total["document"] + total["room"] + present) / MIB, "MiB"),
        Line("all that is remembered", everything / MIB, "MiB"),
        Line("all that is remembered, a room", everything / scale.rooms / KIB, "KiB"),
    ]


def _bounded(name: str, value: float, bound: Line) -> Line:
    return Line(name, value, "bytes", bound.name, round(value / bound.value, 6))


def _origin() -> dict[str, str]:
    """On what machine, when and of which commit something was measured."""
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return {"machine": machine, "date": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit or "unknown"}


def main(  # noqa: PLR0913, PLR0917 -- one for each option
    rooms: Annotated[int, typer.Option(help="Rooms to reckon for.")] = 5_000,
    documents: Annotated[int, typer.Option(help="Documents of a room; they stay.")] = 5,
    users: Annotated[int, typer.Option(help="Users of a room, each in one session at a time.")] = 5,
    sessions: Annotated[float, typer.Option(help="Sessions that a user begins a day, each a tab.")] = 4,
    executions: Annotated[float, typer.Option(help="Programs that a user runs a day.")] = 20,
    days: Annotated[int, typer.Option(help="How long idle state is kept: the job's state_ttl_days.")] = 35,
    measured_rooms: Annotated[int, typer.Option(help="Rooms that are really run.")] = 3,
    seconds: Annotated[int, typer.Option(help="How long each is run, in its own time.")] = 600,
    lost: Annotated[float, typer.Option(help="Share of the records that never come.")] = 0.001,
    delayed: Annotated[float, typer.Option(help="Share that comes up to two seconds late.")] = 0.01,
    seed: Annotated[int, typer.Option(help="The same seed makes the same traffic.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list that make bench collects.")] = False,
) -> None:
    """Measure how large the state of rooms and ordering keys is, and reckon it up."""
    sizes = measure(measured_rooms, seed, Traffic(documents, users, seconds, lost, delayed))
    lines = report(sizes, Scale(rooms, documents, users, sessions, executions, days))
    if as_json:
        json.dump([line._asdict() | _origin() for line in lines], sys.stdout, indent=2)
        print()
        return
    counts = ", ".join(f"{len(found)} {kind}s" for kind, found in sizes.keys.items())
    print(f"measured: {measured_rooms} rooms for {seconds} s each; {counts}")
    print(f"reckoned: {rooms:,} rooms, {sessions:g} sessions and {executions:g} executions a user a day, {days} days\n")
    for name, value, unit, baseline, ratio in lines:
        share = "" if ratio is None else f"  {ratio:.1%} of the {baseline}"
        print(f"{name:<42}{value:>14,.0f} {unit}{share}")


if __name__ == "__main__":
    typer.run(main)
