"""What a subtask knows of its rooms' state, as bytes: Flink is asked once, and told before a checkpoint.

Reading a value through Flink costs as much as sequencing twenty events, writing one 5 µs. A room's records all come to
one subtask, so what that subtask knows is what Flink would answer. What has changed since the last checkpoint lives
here alone: every room that a step changed has to be written before the next one, and no room goes from here before it
is (``docs/decisions/0027-state-is-written-at-checkpoints.md``).

A room without state has no ordering keys either: a room is written after its keys, so that it is kept at least as
long. Flink is not asked for the keys of such a room.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Final, Protocol

from udfs.rules import DAY_MS

CACHE_BYTES: Final = 64 * 1024 * 1024
"""Most bytes of state that a subtask keeps here."""
ROOM_KEPT_MS: Final = DAY_MS
"""After this the room is read anew: Flink may have let a key go that has been idle for the state's time to live."""
_ENTRY_BYTES: Final = 200
"""Of Python's own, for a key and its value."""
_NAME_BYTES: Final = 100
"""Of Python's own, for a key by itself."""
ENDED_KEPT: Final = 256
"""Most names of a room's ended keys that are worth their memory; beyond it Flink is asked for keys not known here."""


class RoomValue(Protocol):
    """Flink's state of the room that its context is at."""

    def value(self) -> bytes | None:
        """Read it."""

    def update(self, value: bytes, /) -> None:
        """Write it."""


class KeyMap(Protocol):
    """Flink's state of that room's ordering keys."""

    def get(self, key: str, /) -> bytes | None:
        """Read one."""

    def put(self, key: str, value: bytes, /) -> None:
        """Write one."""


class CachedRoom:
    """A room's state as far as it is known."""

    __slots__ = ("ended", "is_whole", "keys", "known_since", "room", "size", "timer_at", "unwritten")

    def __init__(self, room: bytes | None, known_since: int) -> None:
        self.room = room
        self.known_since = known_since
        self.keys: dict[str, bytes | None] = {}
        """Ordering key → its state, ``None`` where it has none."""
        self.unwritten: dict[str, bytes] = {}
        """Of these, the ones that Flink has otherwise."""
        self.ended: set[str] = set()
        """Ordering keys that were left to Flink alone, at least once; kept as long as the room ``is_whole``."""
        self.is_whole = room is None
        """Whether every ordering key of the room that has a state is in ``keys`` or ``ended``."""
        self.size = _ENTRY_BYTES
        self.timer_at: int | None = None
        """The timer that was set last, as long as it has not fired."""


class StateCache:
    """The rooms that were used last.

    :param limit_bytes: beyond it the room goes that Flink has had longest as it is here.
    """

    def __init__(self, room: RoomValue, keys: KeyMap, limit_bytes: int = CACHE_BYTES) -> None:
        self._room = room
        self._keys = keys
        self._limit = limit_bytes
        self._rooms: dict[str, CachedRoom] = {}
        self._written: OrderedDict[str, None] = OrderedDict()
        """Those of them that Flink has as they are here, and that may go."""
        self._size = 0

    def enter(self, room_id: str, now_ms: int) -> tuple[bytes | None, Callable[[str], bytes | None]]:
        """The state of a room, and what reads the state of its ordering keys; only while Flink's context is at it."""
        cached = self._rooms.get(room_id)
        if cached is not None and now_ms - cached.known_since >= ROOM_KEPT_MS:
            self._write_and_drop(room_id)
            cached = None
        if cached is None:
            cached = self._rooms[room_id] = CachedRoom(self._room.value(), now_ms)
            self._written[room_id] = None
            self._size += cached.size
        keys = cached.keys

        def read(ordering_key: str) -> bytes | None:
            if ordering_key in keys or (cached.is_whole and ordering_key not in cached.ended):
                return keys.get(ordering_key)
            state = self._keys.get(ordering_key)
            self._remember(cached, ordering_key, state)
            return state

        return cached.room, read

    def change(self, room_id: str, room: bytes, keys: list[tuple[str, bytes]], ended: Collection[str] = ()) -> None:
        """Take what a step left of the room that it entered.

        :param ended: of the keys those that are not expected again: Flink gets them at once, and of each only its name
            stays here, which makes room for others.
        """
        cached = self._rooms[room_id]
        self._written.pop(room_id, None)
        cached.room = room
        for ordering_key, state in keys:
            if ordering_key in ended:
                self._keys.put(ordering_key, state)
                self._forget(cached, ordering_key)
            else:
                cached.unwritten[ordering_key] = state
                self._remember(cached, ordering_key, state)
        while self._size > self._limit and self._written:
            self._drop(next(iter(self._written)))
        if self._size > self._limit:
            self._write_and_drop(room_id)

    def write(self, room_id: str) -> None:
        """Write to Flink what it does not have of a room, if anything; only while Flink's context is at it."""
        cached = self._rooms.get(room_id)
        if cached is None or cached.room is None or room_id in self._written:
            return
        for ordering_key, state in cached.unwritten.items():
            self._keys.put(ordering_key, state)
        self._room.update(cached.room)  # last: a room has to outlive its ordering keys
        cached.unwritten.clear()
        self._written[room_id] = None

    def is_new_timer(self, room_id: str, at: int) -> bool:
        """Whether a room's timer has to be set, or is known to be set already; the answer takes it for set."""
        cached = self._rooms.get(room_id)
        if cached is None:
            return True
        is_new, cached.timer_at = cached.timer_at != at, at
        return is_new

    def timer_fired(self, room_id: str) -> None:
        """Note that a timer of the room is gone."""
        cached = self._rooms.get(room_id)
        if cached is not None:
            cached.timer_at = None

    def _remember(self, cached: CachedRoom, ordering_key: str, state: bytes | None) -> None:
        before = cached.keys.get(ordering_key)
        grown = len(state or b"") - len(before or b"")
        if ordering_key not in cached.keys:
            grown += len(ordering_key) + _ENTRY_BYTES
        cached.keys[ordering_key] = state
        self._grow(cached, grown)

    def _forget(self, cached: CachedRoom, ordering_key: str) -> None:
        """Keep no more of an ordering key than its name, and that only where it tells which others have no state."""
        cached.unwritten.pop(ordering_key, None)
        if ordering_key in cached.keys:
            state = cached.keys.pop(ordering_key)
            self._grow(cached, -len(state or b"") - len(ordering_key) - _ENTRY_BYTES)
        if cached.is_whole and ordering_key not in cached.ended:
            cached.ended.add(ordering_key)
            self._grow(cached, len(ordering_key) + _NAME_BYTES)
        if len(cached.ended) > ENDED_KEPT:
            self._grow(cached, -sum([len(name) + _NAME_BYTES for name in cached.ended]))
            cached.ended.clear()
            cached.is_whole = False

    def _grow(self, cached: CachedRoom, more: int) -> None:
        cached.size += more
        self._size += more

    def _write_and_drop(self, room_id: str) -> None:
        self.write(room_id)
        self._drop(room_id)

    def _drop(self, room_id: str) -> None:
        del self._written[room_id]
        self._size -= self._rooms.pop(room_id).size
