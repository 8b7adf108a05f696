"""The rooms of one sender: their open batches, sealed records and back-offs.

At most one record of a room is under way at a time, so that order is kept whatever fails; while it is, the room's
next batch goes on filling. Without threads, clocks or I/O: time comes in as an argument, in monotonic seconds.
"""

import heapq
from collections import deque
from typing import Final

from msgspec import Struct

from codewave.client.settings import ProducerSettings

EVENT_OVERHEAD_BYTES: Final = 48
"""What CPython holds around an event's bytes: the object's header and its place in a list."""
_FRAME_BOUND_BYTES: Final = 4096
"""Most that a header adds; zstd's growth is at most 1/256 of its input (zstd.h, ZSTD_COMPRESSBOUND)."""


class Record(Struct):
    """A batch of one room's events, from its first event to its acknowledgement."""

    room_id: str
    opened_at: float
    lines: list[bytes]
    """Encoded events, until the record is framed."""
    data: bytes | None = None
    """The framed bytes; every retry sends the same."""
    batch: int = 0
    """Its number, given with its first call; 0 before and for a ready record."""
    events: int = 0
    size: int = 0
    """Bytes before compression."""
    attempts: int = 0
    sealed: bool = False
    settled: bool = False
    """Acknowledged or given up."""

    @property
    def memory(self) -> int:
        """What the buffer counts for it, in bytes."""
        return self.size + EVENT_OVERHEAD_BYTES * self.events

    @property
    def bound(self) -> int:
        """Most bytes it can take of a call, with its partition key."""
        if self.data is not None:
            return len(self.data) + len(self.room_id)
        return self.size + (self.size >> 8) + _FRAME_BOUND_BYTES


class Room:
    """A room with something to send."""

    __slots__ = ("due", "open", "queue")

    def __init__(self) -> None:
        self.open: Record | None = None
        self.due = False
        """The open batch is old enough to go as soon as the room is free."""
        self.queue: deque[Record] = deque()
        """Sealed records in order; the first is waiting, backing off or under way."""


class RoomQueues:
    """What one sender has to send, room by room. The caller holds the lock."""

    def __init__(self, settings: ProducerSettings) -> None:
        self._settings = settings
        self._linger_s = settings.linger_ms / 1000
        self._rooms: dict[str, Room] = {}
        self._lingering: deque[Record] = deque()
        self._ready: deque[Room] = deque()
        self._delayed: list[tuple[float, int, Room]] = []
        self._delays = 0

    def __len__(self) -> int:
        """How many rooms have something to send."""
        return len(self._rooms)

    def add(self, room_id: str, line: bytes, now: float) -> bool:
        """Put an encoded event into its room's open batch.

        :returns: whether the sender has to look (a batch is full, or the first one opened).
        """
        room = self._rooms.get(room_id)
        if room is None:
            room = self._rooms[room_id] = Room()
        batch = room.open
        size = len(line) + 1  # with its line break
        wake = False
        if batch is not None and batch.size + size > self._settings.batch_bytes:
            wake = self._seal(room)
            batch = None
        if batch is None:
            wake = not self._lingering or wake
            batch = room.open = Record(room_id, now, [])
            self._lingering.append(batch)
        batch.lines.append(line)
        batch.events += 1
        batch.size += size
        if batch.events >= self._settings.batch_events or batch.size >= self._settings.batch_bytes:
            wake = self._seal(room) or wake
        return wake

    def add_record(self, room_id: str, data: bytes, now: float) -> bool:
        """Queue a ready record behind what its room has; returns whether the sender has to look."""
        room = self._rooms.setdefault(room_id, Room())
        wake = self._seal(room)
        return self._queue(room, Record(room_id, now, [], data=data, events=1, size=len(data), sealed=True)) or wake

    def seal_all(self) -> None:
        """Seal every open batch, whatever its age."""
        for room in self._rooms.values():
            self._seal(room)

    def _seal(self, room: Room) -> bool:
        batch, room.open, room.due = room.open, None, False
        if batch is None:
            return False
        batch.sealed = True
        return self._queue(room, batch)

    def _queue(self, room: Room, record: Record) -> bool:
        room.queue.append(record)
        if len(room.queue) > 1:
            return False
        self._ready.append(room)
        return True

    def take(self, now: float) -> list[Record]:
        """The next call: the first record of each room that is free, within the call's limits; may be empty."""
        self._seal_due(now)
        while self._delayed and self._delayed[0][0] <= now:
            self._ready.append(heapq.heappop(self._delayed)[2])
        call: list[Record] = []
        size = 0
        while self._ready and len(call) < self._settings.call_records:
            record = self._ready[0].queue[0]
            size += record.bound
            if call and size > self._settings.call_bytes:
                break
            self._ready.popleft()
            call.append(record)
        return call

    def _seal_due(self, now: float) -> None:
        while self._lingering and (self._lingering[0].sealed or self._lingering[0].opened_at + self._linger_s <= now):
            batch = self._lingering.popleft()
            if batch.sealed:
                continue
            room = self._rooms[batch.room_id]
            room.due = True
            if not room.queue:
                self._seal(room)

    def wait_s(self, now: float) -> float | None:
        """Seconds until there may be something to take; ``None``: only when something is added."""
        times = [self._lingering[0].opened_at + self._linger_s] if self._lingering else []
        if self._delayed:
            times.append(self._delayed[0][0])
        return max(0.0, min(times) - now) if times else None

    def settle(self, record: Record) -> None:
        """A record taken before is acknowledged or given up: its room is free for the next."""
        record.settled = True
        room = self._rooms[record.room_id]
        room.queue.popleft()
        if room.queue:
            self._ready.append(room)
        elif room.due:
            self._seal(room)
        elif room.open is None:
            del self._rooms[record.room_id]

    def delay(self, record: Record, until: float) -> None:
        """A record taken before failed: its room waits, others go on."""
        self._delays += 1  # equal times keep their order, and rooms are never compared
        heapq.heappush(self._delayed, (until, self._delays, self._rooms[record.room_id]))

    def records(self) -> list[Record]:
        """Every sealed record that is not settled, and every open batch."""
        found = [record for room in self._rooms.values() for record in room.queue]
        return found + [room.open for room in self._rooms.values() if room.open is not None]
