"""The stream's functions over a list of records, without an engine: what the job stores, given what came in."""

from typing import Any

import example_rooms as rooms

from codewave.contract.events import Event
from udfs.quarantine import Record
from udfs.room import Step, wants_timer
from udfs.rows import Row
from udfs.rules import Rules
from udfs.state import KeyStates, read_room, write_room

ARRIVED_MS = rooms.START_MS + 3_600_000
"""When records arrive, unless a test says otherwise."""


class Stream:
    """One room's state, and every row that its records made; state is kept as bytes, as the job keeps it."""

    def __init__(self, room_id: str = rooms.ROOM, rules: Rules | None = None) -> None:
        self.room_id = room_id
        self.rules = rules or Rules(release="test")
        self.rows: dict[str, list[Any]] = {}
        self.room: bytes | None = None
        self.keys: dict[str, bytes] = {}
        self._records = 0

    def take(self, data: bytes, *, arrived_at: int | None = None) -> dict[str, list[Row]]:
        """Process one record."""
        self._records += 1
        at = ARRIVED_MS if arrived_at is None else arrived_at
        record = Record(data, "shard-1", str(self._records), at)
        return self._step(at + 5, lambda step: step.process(record))

    def send(self, *events: Event, after_ms: int = 0) -> dict[str, list[Row]]:
        """Process one record of these events, which arrived ``after_ms`` past the first ones."""
        return self.take(rooms.record(list(events), room=self.room_id), arrived_at=ARRIVED_MS + after_ms)

    def fire(self, after_ms: int) -> dict[str, list[Row]]:
        """Let the timer fire when the shard's clock is ``after_ms`` past the first record."""
        return self._step(ARRIVED_MS + after_ms + 5, lambda step: step.fire(ARRIVED_MS + after_ms))

    def _step(self, now_ms: int, run: Any) -> dict[str, list[Row]]:
        room, keys = read_room(self.room), KeyStates(self.keys.get)
        made: dict[str, list[Row]] = run(Step(self.room_id, room, keys, self.rules, now_ms))
        self.room = write_room(room)
        self.keys.update(keys.written())
        for output, rows in made.items():
            self.rows.setdefault(output, []).extend(rows)
        return made

    @property
    def waits(self) -> bool:
        """Whether anything waits in the room."""
        return wants_timer(read_room(self.room))

    def sequences(self, output: str = "document_operations") -> list[int]:
        """The sequence numbers stored in an output, in order."""
        return [row.sequence for row in self.rows.get(output, [])]

    def total(self, field: str) -> int:
        """Sum of one count over all audit rows."""
        return sum(getattr(row, field) for row in self.rows.get("record_audit", []))
