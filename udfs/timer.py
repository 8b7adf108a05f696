"""When a room must be looked at again, even if no record comes."""

from typing import Final

from udfs.rules import Rules
from udfs.state import RoomState

_SILENCE_TIMERS: Final = 16
"""Most timers that a room has out to find executions silent; one is found at most two sixteenths too late."""


def next_timer(state: RoomState, rules: Rules, now_ms: int) -> int | None:
    """When the room must be looked at again even if no record comes, as something waits or runs.

    Rounded up, so that a busy room asks for one timer a timeout and not for one a record.

    :param now_ms: the wall clock, ms since epoch.
    :returns: a time after ``now_ms`` on the wall clock, by when the room's clock has come to its next deadline if
        both go on alike; ``None`` where nothing can become due.
    """
    gap_ms, silence_ms = rules.gap_timeout_ms, rules.execution_silence_ms
    at = []
    if state.waiting:
        left_ms = max(0, min(state.waiting.values()) + gap_ms - state.clock)
        at.append(_rounded_up(now_ms + left_ms, gap_ms))
    if state.watched:
        left_ms = max(0, min(state.watched.values()) + silence_ms - state.clock)
        at.append(_rounded_up(now_ms + left_ms, max(gap_ms, silence_ms // _SILENCE_TIMERS)))
    return min(at, default=None)


def _rounded_up(at: int, unit: int) -> int:
    return (at // unit + 1) * unit
