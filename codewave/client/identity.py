"""Identifiers: UUIDv7 event ids, ids of the pieces of a split event, collector ids."""

import hashlib
import secrets
import time
import uuid
from typing import Final

from codewave.errors import WrongUseError

RANDOM_BITS: Final = 74
"""Bits of a UUIDv7 that are neither time, version nor variant (RFC 9562, section 5.7: 12 + 62)."""
_RAND_B_BITS: Final = 62
_TIME_BITS: Final = 48
_VERSION: Final = 0x7 << 76
_VARIANT: Final = 0b10 << 62


def now_millis() -> int:
    """The wall clock, in ms since epoch."""
    return time.time_ns() // 1_000_000


def uuid7(millis: int, random_bits: int) -> str:
    """A UUIDv7 (RFC 9562, section 5.7) from its two ingredients.

    :param millis: ms since epoch; the lowest 48 bits are used.
    :param random_bits: the lowest 74 bits are used.
    """
    time_part = (millis & ((1 << _TIME_BITS) - 1)) << 80
    rand_a = ((random_bits >> _RAND_B_BITS) & 0xFFF) << 64
    rand_b = random_bits & ((1 << _RAND_B_BITS) - 1)
    digits = f"{time_part | _VERSION | rand_a | _VARIANT | rand_b:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def new_event_id(millis: int | None = None) -> str:
    """A new event id, of now or of ``millis`` (ms since epoch)."""
    return uuid7(now_millis() if millis is None else millis, secrets.randbits(RANDOM_BITS))


def piece_event_id(event_id: str, piece: int) -> str:
    """The id of a piece of a split event: the same for the same event, so that splitting again changes nothing.

    :param event_id: the whole event's UUIDv7, which its first piece (0) keeps.
    :param piece: 0 for the first.
    :returns: a UUIDv7 with the same time; its random bits are a hash of ``event_id`` and ``piece``.
    :raises WrongUseError: ``event_id`` is no UUID.
    """
    if piece == 0:
        return event_id
    try:
        millis = uuid.UUID(event_id).int >> 80
    except ValueError:
        raise WrongUseError(f"client: event id {event_id!r} is no UUID; make it with new_event_id()") from None
    digest = hashlib.blake2b(f"{event_id}/{piece}".encode(), digest_size=16).digest()
    return uuid7(millis, int.from_bytes(digest))


def new_collector_id(name: str) -> str:
    """A collector id for one run of one producer: ``name`` and 12 random hexadecimal digits.

    Batch numbers count from 1 for each collector id, so a restarted process needs another one.
    """
    return f"{name}-{secrets.token_hex(6)}"
