"""When something was received, as far as the clock that says so can be believed.

``received_at`` partitions the tables and names the daily indices, and it comes from outside: a sender with a wrong
clock would make a partition and an index for every day it thinks of, until the stores take no more. The stream's own
arrival time is never far off, so it takes the place of a time that is.
"""

import msgspec

from codewave.contract.events import AnyEvent
from udfs.rules import Rules

_encode = msgspec.json.Encoder().encode


def earliest_believed(arrived_at: int, rules: Rules) -> int:
    """The earliest time at which what arrived at ``arrived_at`` can have been received, ms since epoch."""
    return arrived_at - rules.delivery_ms


def latest_believed(arrived_at: int, rules: Rules) -> int:
    """The latest: nothing arrives before it was received, but two good clocks may differ by ``clock_skew_ms``."""
    return arrived_at + rules.clock_skew_ms


def believed(received_at: int, arrived_at: int, rules: Rules) -> int:
    """``received_at`` where it can be right, else ``arrived_at``."""
    if earliest_believed(arrived_at, rules) <= received_at <= latest_believed(arrived_at, rules):
        return received_at
    return arrived_at


def corrected(event: AnyEvent, arrived_at: int) -> bytes:
    """Let ``event`` have been received when it arrived; returns bytes that decode to it."""
    event.received_at = arrived_at
    return _encode(event)
