"""What a subtask knows of its rooms' state, as bytes: Flink is asked once, and told before a checkpoint.

Reading a value through Flink costs as much as sequencing twenty events, writing one 5 µs. A room's records all come to
one subtask, so what that subtask knows is what Flink would answer. What has changed since the last checkpoint lives
here alone: every room that a step changed has to be written before the next one, and no room goes from here before it
is (``docs/decisions/0027-state-is-written-at-checkpoints.md``).

A room is one value in Flink, with the ordering keys that changed last, of 16 KiB at most; other keys are values of
their own (``docs/decisions/0029-a-room-is-written-with-its-keys.md``). A room without state has no ordering keys: a
room is written after its keys, so that it is kept at least as long. Flink is not asked for the keys of such a room.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Final, Protocol

import msgspec

from udfs.rules import DAY_MS

CACHE_BYTES: Final = 64 * 1024 * 1024
"""Most bytes of state that a subtask keeps here."""
ROOM_KEPT_MS: Final = DAY_MS
"""After this the room is read anew: Flink may have let a key go that has been idle for the state's time to live."""
TOGETHER_BYTES: Final = 16 * 1024
"""Most bytes of ordering keys' states that are written with their room: of 15 keys for which nothing waits."""
_ENTRY_BYTES: Final = 200
"""Of Python's own, for a key and its value."""
_NAME_BYTES: Final = 100
"""Of Python's own, for a key by itself."""
ENDED_KEPT: Final = 256
"""Most names of a room's ended keys that are worth their memory; beyond it Flink is asked for keys not known here."""
_ROOM: Final = ""
"""The room's own place among its ordering keys; none is named so."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, bytes]).decode


class RoomValue(Protocol):
    """Flink's value of the room that its context is at."""

    def value(self) -> bytes | None:
        """Read it."""

    def update(self, value: bytes, /) -> None:
        """Write it."""


class KeyMap(Protocol):
    """Flink's values of that room's ordering keys."""

    def get(self, key: str, /) -> bytes | None:
        """Read one."""

    def put(self, key: str, value: bytes, /) -> None:
        """Write one."""


class CachedRoom:
    """A room's state as far as it is known."""

    __slots__ = ("apart", "ended", "is_whole", "known_since", "room", "size", "timer_at", "together")

    def __init__(self, room: bytes | None, together: dict[str, bytes], known_since: int) -> None:
        self.room = room
        self.known_since = known_since
        self.together = together
        """Ordering key → its state, of those that are written with the room; what changed longest ago comes first."""
        self.apart: dict[str, bytes | None] = {}
        """Of other keys what Flink has of each by itself, ``None`` where it has nothing."""
        self.ended: set[str] = set()
        """Ordering keys that were left to Flink alone, at least once; kept as long as the room ``is_whole``."""
        self.is_whole = room is None
        """Whether every ordering key of the room that has a state is known here, if only by its name."""
        self.size = _ENTRY_BYTES + sum([_entry_bytes(key, state) for key, state in together.items()])
        self.timer_at: int | None = None
        """The timer that was set last, as long as it has not fired."""

    def pop(self, ordering_key: str) -> int:
        """Take what is known of a key out; returns the bytes that it took here."""
        state = self.together.pop(ordering_key, None)
        if state is None:
            if ordering_key not in self.apart:
                return 0
            state = self.apart.pop(ordering_key)
        return _entry_bytes(ordering_key, state)


class StateCache:
    """The rooms that were used last.

    :param limit_bytes: beyond it the room goes that Flink has had longest as it is here.
    :param together_bytes: most bytes of ordering keys' states that are written with their room.
    """

    def __init__(
        self, room: RoomValue, keys: KeyMap, limit_bytes: int = CACHE_BYTES, together_bytes: int = TOGETHER_BYTES
    ) -> None:
        self._room = room
        self._keys = keys
        self._limit = limit_bytes
        self._together_limit = together_bytes
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
            cached = self._rooms[room_id] = CachedRoom(*_taken_apart(self._room.value()), now_ms)
            self._written[room_id] = None
            self._size += cached.size
        together, apart = cached.together, cached.apart

        def read(ordering_key: str) -> bytes | None:
            state = together.get(ordering_key)
            if state is not None:
                return state
            if ordering_key in apart or (cached.is_whole and ordering_key not in cached.ended):
                return apart.get(ordering_key)
            state = apart[ordering_key] = self._keys.get(ordering_key)
            self._grow(cached, _entry_bytes(ordering_key, state))
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
            grown = -cached.pop(ordering_key)
            if ordering_key in ended:
                self._keys.put(ordering_key, state)
                grown += _name_ended(cached, ordering_key)
            else:
                cached.together[ordering_key] = state
                grown += _entry_bytes(ordering_key, state)
            self._grow(cached, grown)
        while self._size > self._limit and self._written:
            self._drop(next(iter(self._written)))
        if self._size > self._limit:
            self._write_and_drop(room_id)

    def write(self, room_id: str) -> None:
        """Write to Flink what it does not have of a room, if anything; only while Flink's context is at it."""
        cached = self._rooms.get(room_id)
        if cached is None or cached.room is None or room_id in self._written:
            return
        together = cached.together
        size = sum(map(len, together.values()))
        while size > self._together_limit:
            ordering_key = next(iter(together))
            state = cached.apart[ordering_key] = together.pop(ordering_key)
            self._keys.put(ordering_key, state)
            size -= len(state)
        self._room.update(_encode({_ROOM: cached.room, **together}))  # last: a room has to outlive its ordering keys
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

    def _grow(self, cached: CachedRoom, more: int) -> None:
        cached.size += more
        self._size += more

    def _write_and_drop(self, room_id: str) -> None:
        self.write(room_id)
        self._drop(room_id)

    def _drop(self, room_id: str) -> None:
        del self._written[room_id]
        self._size -= self._rooms.pop(room_id).size


def _taken_apart(data: bytes | None) -> tuple[bytes | None, dict[str, bytes]]:
    """A room's state and that of the ordering keys which were written with it."""
    if data is None:
        return None, {}
    try:
        together = _decode(data)
    except msgspec.ValidationError:  # an array, not a map: the room by itself, as it was once written
        return data, {}
    return together.pop(_ROOM), together


def _entry_bytes(ordering_key: str, state: bytes | None) -> int:
    return len(ordering_key) + len(state or b"") + _ENTRY_BYTES


def _name_ended(cached: CachedRoom, ordering_key: str) -> int:
    """Keep the name of an ordering key where it tells which others have no state; returns the bytes that it takes."""
    if not cached.is_whole or ordering_key in cached.ended:
        return 0
    cached.ended.add(ordering_key)
    if len(cached.ended) <= ENDED_KEPT:
        return len(ordering_key) + _NAME_BYTES
    freed = sum([len(name) + _NAME_BYTES for name in cached.ended if name != ordering_key])
    cached.ended.clear()
    cached.is_whole = False
    return -freed
