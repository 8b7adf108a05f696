"""The state of a room and of its ordering keys, as it is written between records."""

from collections.abc import Callable, Iterator

import msgspec
from msgspec import Struct

from udfs.presence import LiveRoom
from udfs.sequence import KeyState, trim

_encode = msgspec.msgpack.Encoder().encode


class RoomState(Struct, array_like=True, gc=False):
    """What is remembered of a room beside its ordering keys."""

    clock: int = 0
    """The room's clock: when its newest record arrived in the stream, or later, ms since epoch."""
    shard_id: str = ""
    """Where that record came from."""
    waiting: dict[str, int] = {}
    """Ordering keys with waiting events → since when the longest waits, on the room's clock."""
    live: LiveRoom = msgspec.field(default_factory=LiveRoom)


_room_decoder = msgspec.msgpack.Decoder(RoomState)
_key_decoder = msgspec.msgpack.Decoder(KeyState)


def read_room(data: bytes | None) -> RoomState:
    """The room's state, new where there is none."""
    return RoomState() if data is None else _room_decoder.decode(data)


def write_room(state: RoomState) -> bytes:
    """The room's state as bytes."""
    return _encode(state)


class KeyStates:
    """The ordering keys that one step touches: read when first needed, written back together."""

    __slots__ = ("_read", "_touched")

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self._read = read
        self._touched: dict[str, KeyState] = {}

    def __getitem__(self, ordering_key: str) -> KeyState:
        state = self._touched.get(ordering_key)
        if state is None:
            data = self._read(ordering_key)
            state = KeyState() if data is None else _key_decoder.decode(data)
            self._touched[ordering_key] = state
        return state

    def written(self) -> Iterator[tuple[str, bytes]]:
        """Each touched ordering key with its state as bytes."""
        for ordering_key, state in self._touched.items():
            trim(state)
            yield ordering_key, _encode(state)
