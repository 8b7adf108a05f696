"""Order and duplicates along one ordering key, in bounded state.

The rules of the event contract: the next number passes and drains what waits; a later number waits; numbers that do
not come in time are declared a gap and remembered as a hole; an event that arrives into a hole is a late fill and
passes once; any other earlier number is a duplicate, or a conflict when it is another event.
"""

from bisect import bisect_right
from enum import IntEnum
from typing import Final

from msgspec import Struct

from udfs.execution import ExecutionState

FINGERPRINT_BYTES: Final = 8
FINGERPRINTS: Final = 128
"""How many of the last events are remembered to tell a duplicate from a conflict."""
_KEPT_BYTES: Final = FINGERPRINTS * FINGERPRINT_BYTES
NO_FINGERPRINT: Final = bytes(FINGERPRINT_BYTES)


class Waiting(Struct, array_like=True, gc=False):
    """An event that waits for those before it; ``line`` is empty where only a place is kept (a refused event)."""

    since: int
    """The room's clock when it came, in ms since epoch."""
    fingerprint: bytes
    line: bytes


class KeyState(Struct, array_like=True, gc=False):
    """What is remembered of one ordering key."""

    next: int = 1
    fingerprints: bytearray = bytearray()
    """Of the numbers up to ``next - 1``, 8 bytes each, zeros for a hole."""
    holes: list[tuple[int, int]] = []
    """First and last number of each hole, ascending."""
    pending: dict[int, Waiting] = {}
    pending_bytes: int = 0
    execution: ExecutionState | None = None


class Gap(Struct, gc=False):
    """Numbers that did not come in time."""

    first: int
    last: int
    cause: str
    waited_ms: int


class Verdict(IntEnum):
    """What becomes of an offered event."""

    PASS = 0
    """It is the next one."""
    LATE = 1
    """It fills a hole."""
    WAIT = 2
    """It waits for those before it."""
    DUPLICATE = 3
    CONFLICT = 4
    FULL = 5
    """It would have to wait, but no more may wait: declare the gap first, then offer it again."""


def offer(  # noqa: PLR0913, PLR0917 -- called once an event: no argument object
    state: KeyState, sequence: int, fingerprint: bytes, line: bytes, clock: int, bounds: tuple[int, int]
) -> Verdict:
    """Place one event; ``state`` is changed, except where the verdict is a duplicate, conflict or full.

    :param clock: the room's clock, ms since epoch.
    :param bounds: how many events and bytes may wait.
    """
    expected = state.next
    if sequence == expected:
        state.next = expected + 1
        state.fingerprints += fingerprint
        return Verdict.PASS
    if sequence < expected:
        return _earlier(state, sequence, fingerprint)
    waiting = state.pending.get(sequence)
    if waiting is not None and waiting.line:
        return Verdict.DUPLICATE if waiting.fingerprint == fingerprint else Verdict.CONFLICT
    if waiting is None and (
        len(state.pending) >= bounds[0] or (state.pending and state.pending_bytes + len(line) > bounds[1])
    ):
        return Verdict.FULL
    state.pending[sequence] = Waiting(clock if waiting is None else waiting.since, fingerprint, line)
    state.pending_bytes += len(line)
    return Verdict.WAIT


def _earlier(state: KeyState, sequence: int, fingerprint: bytes) -> Verdict:
    at = len(state.fingerprints) - (state.next - sequence) * FINGERPRINT_BYTES
    if _fill_hole(state, sequence):
        if at >= 0:
            state.fingerprints[at : at + FINGERPRINT_BYTES] = fingerprint
        return Verdict.LATE
    if at < 0 or state.fingerprints[at : at + FINGERPRINT_BYTES] == fingerprint:
        return Verdict.DUPLICATE
    return Verdict.CONFLICT


def _fill_hole(state: KeyState, sequence: int) -> bool:
    holes = state.holes
    if not holes:
        return False
    index = bisect_right(holes, sequence, key=lambda hole: hole[0]) - 1
    if index < 0 or holes[index][1] < sequence:
        return False
    first, last = holes[index]
    rest = [(first, sequence - 1)] if first < sequence else []
    rest += [(sequence + 1, last)] if sequence < last else []
    holes[index : index + 1] = rest
    return True


def drain(state: KeyState) -> list[Waiting]:
    """Take out the waiting events that are next now, in order; places kept for refused events become holes."""
    drained: list[Waiting] = []
    pending = state.pending
    while pending and (waiting := pending.pop(state.next, None)) is not None:
        state.pending_bytes -= len(waiting.line)
        if waiting.line:
            state.fingerprints += waiting.fingerprint
            state.next += 1
            drained.append(waiting)
        else:
            _skip_to(state, state.next + 1)
    return drained


def leave_hole(state: KeyState, sequence: int, clock: int, bounds: tuple[int, int]) -> bool:
    """Keep a refused event's place open, so that it delays nobody and its redrive can fill it.

    :returns: whether the place is a hole now, or will be once those before it have come; ``False`` where it is
        behind us, taken, or no more places may be kept.
    """
    if sequence == state.next:
        _skip_to(state, sequence + 1)
        return True
    if sequence > state.next and sequence not in state.pending and len(state.pending) < bounds[0]:
        state.pending[sequence] = Waiting(clock, NO_FINGERPRINT, b"")
        return True
    return False


def declare_gap(state: KeyState, cause: str, clock: int) -> Gap:
    """Give up the numbers before the first that waits: they become a hole, and the key goes on."""
    first, until = state.next, min(state.pending)
    waited = max(0, clock - oldest_wait(state))
    _skip_to(state, until)
    return Gap(first, until - 1, cause, waited)


def oldest_wait(state: KeyState) -> int:
    """Since when the longest-waiting event waits, ms since epoch on the room's clock; ``pending`` is not empty."""
    return min(waiting.since for waiting in state.pending.values())


def _skip_to(state: KeyState, sequence: int) -> None:
    missing = sequence - state.next
    if state.holes and state.holes[-1][1] == state.next - 1:
        state.holes[-1] = (state.holes[-1][0], sequence - 1)
    else:
        state.holes.append((state.next, sequence - 1))
    state.fingerprints += bytes(min(missing, FINGERPRINTS) * FINGERPRINT_BYTES)
    state.next = sequence


def trim(state: KeyState) -> None:
    """Forget fingerprints beyond the last 128, before the state is written."""
    if len(state.fingerprints) > _KEPT_BYTES:
        del state.fingerprints[:-_KEPT_BYTES]
