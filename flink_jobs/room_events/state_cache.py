"""What a subtask has read or written of its rooms' state lately, as bytes, so that Flink is asked only once.

Reading a value through Flink costs as much as sequencing twenty events. A room's records all come to one subtask, so
what that subtask wrote last is what Flink would answer. Writing goes to Flink every time; nothing lives here alone.

A room without state has no ordering keys either: every step that writes a key writes its room after it, so that the
room is kept at least as long. Flink is not asked for the keys of such a room.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Final

from udfs.rules import DAY_MS

CACHE_BYTES: Final = 64 * 1024 * 1024
"""Most bytes of state that a subtask keeps here."""
ROOM_KEPT_MS: Final = DAY_MS
"""After this the room is read anew: Flink may have let a key go that has been idle for the state's time to live."""
_ENTRY_BYTES: Final = 200
"""Of Python's own, for a key and its value."""


class CachedRoom:
    """A room's state as far as it is known."""

    __slots__ = ("is_whole", "keys", "known_since", "room", "size", "timer_at")

    def __init__(self, room: bytes | None, known_since: int) -> None:
        self.room = room
        self.known_since = known_since
        self.keys: dict[str, bytes | None] = {}
        """Ordering key → its state, ``None`` where it has none."""
        self.is_whole = room is None
        """Whether ``keys`` has every ordering key of the room that has a state."""
        self.size = _ENTRY_BYTES
        self.timer_at: int | None = None
        """The timer that was set last, as long as it has not fired."""


class StateCache:
    """The rooms that were used last.

    :param room: reads the state of the room that Flink's context is at; ``key`` that of one of its ordering keys.
    :param limit_bytes: beyond it the room goes that was used longest ago.
    """

    def __init__(
        self, room: Callable[[], bytes | None], key: Callable[[str], bytes | None], limit_bytes: int = CACHE_BYTES
    ) -> None:
        self._read_room = room
        self._read_key = key
        self._limit = limit_bytes
        self._rooms: OrderedDict[str, CachedRoom] = OrderedDict()
        self._size = 0

    def enter(self, room_id: str, now_ms: int) -> tuple[bytes | None, Callable[[str], bytes | None]]:
        """The state of a room, and what reads the state of its ordering keys; only while Flink's context is at it."""
        cached = self._rooms.get(room_id)
        if cached is not None and now_ms - cached.known_since >= ROOM_KEPT_MS:
            self._drop(room_id)
            cached = None
        if cached is None:
            cached = self._rooms[room_id] = CachedRoom(self._read_room(), now_ms)
            self._size += cached.size
        else:
            self._rooms.move_to_end(room_id)
        keys = cached.keys

        def read(ordering_key: str) -> bytes | None:
            if cached.is_whole or ordering_key in keys:
                return keys.get(ordering_key)
            state = self._read_key(ordering_key)
            self._remember(cached, ordering_key, state)
            return state

        return cached.room, read

    def written(self, room_id: str, room: bytes, keys: list[tuple[str, bytes]], ended: Collection[str] = ()) -> None:
        """Note what was written to Flink; the room was entered before.

        :param ended: of the keys those that are not expected again: they are left out, which makes room for others.
        """
        cached = self._rooms[room_id]
        cached.room = room
        for ordering_key, state in keys:
            if ordering_key in ended:
                self._forget(cached, ordering_key)
            else:
                self._remember(cached, ordering_key, state)
        while self._size > self._limit and len(self._rooms) > 1:
            self._drop(next(iter(self._rooms)))
        if self._size > self._limit:
            self._drop(room_id)

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
        cached.size += grown
        self._size += grown

    def _forget(self, cached: CachedRoom, ordering_key: str) -> None:
        cached.is_whole = False
        if ordering_key not in cached.keys:
            return
        state = cached.keys.pop(ordering_key)
        shrunk = len(state or b"") + len(ordering_key) + _ENTRY_BYTES
        cached.size -= shrunk
        self._size -= shrunk

    def _drop(self, room_id: str) -> None:
        self._size -= self._rooms.pop(room_id).size
