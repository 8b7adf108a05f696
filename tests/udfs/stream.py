"""The stream's functions over a list of records, without an engine: what the job stores, given what came in."""

from typing import Any, Final, NamedTuple

import example_rooms as rooms

from codewave.contract.events import Event
from udfs.quarantine import Record
from udfs.room import Step
from udfs.rows import Row
from udfs.rules import DAY_MS, Rules
from udfs.state import KeyStates, read_room, write_room

ARRIVED_MS = rooms.START_MS + 3_600_000
"""When records arrive, unless a test says otherwise."""
STATE_TTL_MS: Final = 35 * DAY_MS
"""The job's ``state_ttl_days``."""


class Checkpoint(NamedTuple):
    """What the job saves, and how much of each table is committed with it."""

    room: bytes | None
    keys: dict[str, bytes]
    written_at: dict[str, int]
    records: int
    rows: dict[str, int]


class Stream:
    """One room's state, and every row that its records made; state is kept as bytes, as the job keeps it.

    State that was not written for 35 days is gone, as in the job. Without ``now_ms``, the wall clock is 5 ms past the
    arrival of the record.
    """

    step = Step

    def __init__(self, room_id: str = rooms.ROOM, rules: Rules | None = None) -> None:
        self.room_id = room_id
        self.rules = rules or Rules(release="test")
        self.rows: dict[str, list[Any]] = {}
        self.room: bytes | None = None
        self.keys: dict[str, bytes] = {}
        self._written_at: dict[str, int] = {}
        """Ordering key, or nothing for the room → the wall clock when its state was written."""
        self._records = 0

    def take(self, data: bytes, *, arrived_at: int | None = None, now_ms: int | None = None) -> dict[str, list[Row]]:
        """Process one record."""
        self._records += 1
        at = ARRIVED_MS if arrived_at is None else arrived_at
        record = Record(data, "shard-1", str(self._records), at)
        return self._step(at + 5 if now_ms is None else now_ms, lambda step: step.process(record))

    def send(self, *events: Event, after_ms: int = 0) -> dict[str, list[Row]]:
        """Process one record of these events, which arrived ``after_ms`` past the first ones."""
        return self.take(rooms.record(list(events), room=self.room_id), arrived_at=ARRIVED_MS + after_ms)

    def fire(self, after_ms: int, *, now_ms: int | None = None) -> dict[str, list[Row]]:
        """Let the timer fire when the shard's clock is ``after_ms`` past the first record."""
        clock = ARRIVED_MS + after_ms
        return self._step(clock + 5 if now_ms is None else now_ms, lambda step: step.fire(clock))

    def checkpoint(self) -> Checkpoint:
        """Save state, and what is committed with it."""
        rows = {output: len(rows) for output, rows in self.rows.items()}
        return Checkpoint(self.room, dict(self.keys), dict(self._written_at), self._records, rows)

    def restore(self, saved: Checkpoint) -> None:
        """Start again from a checkpoint; what was stored since is superseded, as Iceberg's commits follow Flink's."""
        self.room, self.keys, self._written_at = saved.room, dict(saved.keys), dict(saved.written_at)
        self._records = saved.records
        self.rows = {output: rows[: saved.rows.get(output, 0)] for output, rows in self.rows.items()}

    def _step(self, now_ms: int, run: Any) -> dict[str, list[Row]]:
        self._expire(now_ms)
        room, keys = read_room(self.room), KeyStates(self.keys.get)
        made: dict[str, list[Row]] = run(self.step(self.room_id, room, keys, self.rules, now_ms))
        self.room = write_room(room)
        written = dict(keys.written())
        self.keys |= written
        self._written_at |= dict.fromkeys(["", *written], now_ms)
        for output, rows in made.items():
            self.rows.setdefault(output, []).extend(rows)
        return made

    def _expire(self, now_ms: int) -> None:
        for ordering_key, written_at in list(self._written_at.items()):
            if now_ms - written_at >= STATE_TTL_MS:
                del self._written_at[ordering_key]
                if ordering_key:
                    del self.keys[ordering_key]
                else:
                    self.room = None

    @property
    def waits(self) -> bool:
        """Whether anything waits in the room."""
        return bool(read_room(self.room).waiting)

    def sequences(self, output: str = "document_operations") -> list[int]:
        """The sequence numbers stored in an output, in order."""
        return [row.sequence for row in self.rows.get(output, [])]

    def total(self, field: str) -> int:
        """Sum of one count over all audit rows."""
        return sum(getattr(row, field) for row in self.rows.get("record_audit", []))
