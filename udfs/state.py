"""The state of a room and of its ordering keys, as it is written between records."""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
from msgspec import Struct

from udfs.presence import LiveRoom
from udfs.rules import Rules
from udfs.sequence import FINGERPRINT_BYTES, KeyState

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
    watched: dict[str, int] = {}
    """Executions that run → when a sign of life of theirs came last, on the room's clock."""


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
            yield ordering_key, _encode(state)

    def ended(self) -> list[str]:
        """Each touched ordering key of an execution that has its outcome: hardly an event of it comes any more."""
        return [key for key, state in self._touched.items() if state.execution and state.execution.outcome is not None]


# Most bytes that MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) takes, and the contract's longest
# texts (codewave.contract.fields): an id is ASCII, of an ordering key and a label that is not sure.
_HEAD: Final = 5
"""Of a text, bytes, list or map, before its content."""
_NUMBER: Final = 9
_ID: Final = _HEAD + 64
_ORDERING_KEY: Final = _HEAD + 139 * 4
_SHARD_ID: Final = _HEAD + 128
"""Kinesis' longest."""
_EXECUTION: Final = 8 * 1024
"""Five labels of 256 characters of up to 4 bytes, and three dozen ids and numbers."""


def key_bytes_bound(rules: Rules) -> int:
    """Most bytes that the state of one ordering key takes, whatever came: a sum over what the rules bound."""
    fingerprints = rules.fingerprints * FINGERPRINT_BYTES
    holes = rules.holes * (_HEAD + 2 * _NUMBER)
    waiting = _NUMBER + _HEAD + _NUMBER + _HEAD + FINGERPRINT_BYTES + _HEAD
    pending = rules.pending_events * waiting + rules.pending_bytes
    single = 4 * _HEAD + 4 * _NUMBER
    return single + fingerprints + holes + pending + _EXECUTION


def room_bytes_bound(rules: Rules) -> int:
    """Most bytes that the state of a room takes beside its ordering keys, whatever came."""
    waiting = rules.waiting_keys * (_ORDERING_KEY + _NUMBER)
    present = rules.present_sessions * (_HEAD + 3 * _ID + 2 * _NUMBER)
    executions = (rules.running_executions + rules.watched_executions) * (_ID + _NUMBER)
    single = 6 * _HEAD + 3 * _NUMBER + _SHARD_ID
    return single + waiting + present + executions
