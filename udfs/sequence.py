"""Order and duplicates along one ordering key, in bounded state.

The rules of the event contract: the next number passes and drains what waits; a later number waits; numbers that do
not come in time are declared a gap and remembered as a hole; an event that arrives into a hole is a late fill and
passes once; any other earlier number is a duplicate, or a conflict when it is another event. Where so many holes were
made that the oldest had to be forgotten, an event that old is a duplicate or a late fill, nobody knows which: too late.

Every bound holds after every event, not only when the state is written, and what an event becomes depends on the events
before it alone: never on how they were cut into records. ``docs/decisions/0010-bounded-order.md`` says why.
"""

from bisect import bisect_right
from enum import IntEnum
from typing import Final

from msgspec import Struct

from udfs.execution import ExecutionState
from udfs.rules import Rules

FINGERPRINT_BYTES: Final = 8
NO_FINGERPRINT: Final = bytes(FINGERPRINT_BYTES)
"""In place of a number that did not come; an event's own is never all zeros (the variant bits of its UUIDv7)."""


class Waiting(Struct, array_like=True, gc=False):
    """An event that waits for those before it; ``line`` is empty where only a place is kept (a refused event)."""

    since: int
    """The room's clock when it came, in ms since epoch."""
    fingerprint: bytes
    line: bytes


class KeyState(Struct, array_like=True, gc=False):
    """What is remembered of one ordering key. New fields go to the end, with a default: saved states are read again."""

    next: int = 1
    fingerprints: bytearray = bytearray()
    """Of the numbers up to ``next - 1``, 8 bytes each, zeros for one that did not come."""
    holes: list[tuple[int, int]] = []
    """First and last number of each hole, ascending, never touching each other."""
    pending: dict[int, Waiting] = {}
    """In the order in which they came, so by ``since``, too: the room's clock never goes back."""
    pending_bytes: int = 0
    execution: ExecutionState | None = None
    forgotten_from: int = 0
    """First number of the oldest hole that was forgotten, 0 where none was: all numbers before it are stored."""
    horizon: int = 0
    """Last number of the newest hole that was forgotten: ``holes`` lacks none after it."""


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
    TOO_LATE = 5
    """It is stored already, or fills a hole that was forgotten: nobody knows."""


def offer(  # noqa: PLR0913, PLR0917 -- called once an event: no argument object
    state: KeyState, sequence: int, fingerprint: bytes, line: bytes, clock: int, rules: Rules
) -> Verdict:
    """Place one event; ``state`` is changed where the verdict is one of the first three.

    After ``PASS``, :func:`drain`; after ``WAIT``, :func:`declare_gap` as long as :func:`too_many_wait`.

    :param line: the event's bytes.
    :param clock: the room's clock, ms since epoch.
    """
    expected = state.next
    if sequence == expected:
        state.next = expected + 1
        _remember(state, fingerprint, rules)
        return Verdict.PASS
    if sequence < expected:
        return _earlier(state, sequence, fingerprint, rules)
    waiting = state.pending.get(sequence)
    if waiting is not None and waiting.line:
        return Verdict.DUPLICATE if waiting.fingerprint == fingerprint else Verdict.CONFLICT
    # A place kept for it is overdue since it was first heard of: the numbers before it have had their time.
    state.pending[sequence] = Waiting(clock if waiting is None else waiting.since, fingerprint, line)
    state.pending_bytes += len(line)
    return Verdict.WAIT


def offer_run(state: KeyState, sequences: list[int], fingerprints: list[bytes], rules: Rules) -> bool:
    """Place events in one step whose numbers simply go on where the key stopped.

    :returns: whether all of them pass; where not, ``state`` is as it was: :func:`offer` them one by one.
    """
    first, after = state.next, state.next + len(sequences)
    if state.pending or sequences != list(range(first, after)):
        return False
    state.next = after
    _remember(state, b"".join(fingerprints), rules)
    return True


def offer_together(
    state: KeyState, sequences: list[int], fingerprints: list[bytes], rules: Rules
) -> tuple[list[int], list[int], list[int]] | None:
    """Place events that come at one time, of which some repeat others or come before those before them.

    :returns: by index, those that pass, in order; those that are duplicates; and those of the first that had to wait
        for others. ``None``, and ``state`` as it was, where something waits still, or might be a conflict or a late
        fill, or where so many might wait that bounds matter: :func:`offer` them one by one.
    """
    if state.pending or len(sequences) > rules.pending_events:
        return None
    expected, remembered = state.next, state.fingerprints
    start = expected - len(remembered) // FINGERPRINT_BYTES
    passed: list[int] = []
    duplicates: list[int] = []
    waiting: dict[int, int] = {}
    waited: list[int] = []
    for index, sequence in enumerate(sequences):
        if sequence == expected:
            passed.append(index)
            expected += 1
            while waiting and (other := waiting.pop(expected, None)) is not None:
                passed.append(other)
                expected += 1
        elif sequence > expected:
            other = waiting.setdefault(sequence, index)
            if other == index:
                waited.append(index)
            elif fingerprints[other] == fingerprints[index]:
                duplicates.append(index)
            else:
                return None
        elif sequence < start or fingerprints[index] != _known(state, sequence, passed, fingerprints):
            return None
        else:
            duplicates.append(index)
    if waiting:
        return None
    state.next = expected
    _remember(state, b"".join([fingerprints[index] for index in passed]), rules)
    return passed, duplicates, waited


def _known(state: KeyState, sequence: int, passed: list[int], fingerprints: list[bytes]) -> bytes:
    """The fingerprint of an earlier number: as remembered, or of one that passed just now."""
    if sequence >= state.next:
        return fingerprints[passed[sequence - state.next]]
    at = len(state.fingerprints) - (state.next - sequence) * FINGERPRINT_BYTES
    return bytes(state.fingerprints[at : at + FINGERPRINT_BYTES])


def _earlier(state: KeyState, sequence: int, fingerprint: bytes, rules: Rules) -> Verdict:
    at = len(state.fingerprints) - (state.next - sequence) * FINGERPRINT_BYTES
    if at < 0:
        if _fill_hole(state, sequence, rules):
            return Verdict.LATE
        return Verdict.TOO_LATE if state.forgotten_from <= sequence <= state.horizon else Verdict.DUPLICATE
    known = state.fingerprints[at : at + FINGERPRINT_BYTES]
    if known == NO_FINGERPRINT:
        _fill_hole(state, sequence, rules)
        state.fingerprints[at : at + FINGERPRINT_BYTES] = fingerprint
        return Verdict.LATE
    return Verdict.DUPLICATE if known == fingerprint else Verdict.CONFLICT


def _fill_hole(state: KeyState, sequence: int, rules: Rules) -> bool:
    holes = state.holes
    index = bisect_right(holes, sequence, key=lambda hole: hole[0]) - 1
    if index < 0 or holes[index][1] < sequence:
        return False
    first, last = holes[index]
    rest = [(first, sequence - 1)] if first < sequence else []
    rest += [(sequence + 1, last)] if sequence < last else []
    holes[index : index + 1] = rest
    _forget_oldest(state, rules)
    return True


def leave_hole(state: KeyState, sequence: int, clock: int) -> bool:
    """Keep a refused event's place open, so that it delays nobody and its redrive can fill it.

    Then :func:`drain`, which makes it a hole as soon as those before it have come; and :func:`declare_gap` as long as
    :func:`too_many_wait`.

    :returns: whether the place is kept; ``False`` where it is behind us or taken.
    """
    if sequence < state.next or sequence in state.pending:
        return False
    state.pending[sequence] = Waiting(clock, NO_FINGERPRINT, b"")
    return True


def drain(state: KeyState, rules: Rules) -> list[tuple[int, Waiting]]:
    """Take out what waits and is next now, with its numbers, in order; places without an event become holes."""
    drained: list[tuple[int, Waiting]] = []
    pending = state.pending
    while pending and (waiting := pending.pop(state.next, None)) is not None:
        drained.append((state.next, waiting))
        if waiting.line:
            state.pending_bytes -= len(waiting.line)
            state.next += 1
            _remember(state, waiting.fingerprint, rules)
        else:
            _skip_to(state, state.next + 1, rules)
    return drained


def too_many_wait(state: KeyState, rules: Rules) -> bool:
    """Whether more events or bytes wait than may."""
    return len(state.pending) > rules.pending_events or state.pending_bytes > rules.pending_bytes


def declare_gap(state: KeyState, cause: str, clock: int, rules: Rules) -> Gap:
    """Give up the numbers before the first that waits (something does): they become a hole, and the key goes on."""
    first, until = state.next, min(state.pending)
    waited = max(0, clock - oldest_wait(state))
    _skip_to(state, until, rules)
    return Gap(first, until - 1, cause, waited)


def oldest_wait(state: KeyState) -> int:
    """Since when the longest-waiting event waits, ms since epoch on the room's clock; ``pending`` is not empty."""
    return next(iter(state.pending.values())).since


def _skip_to(state: KeyState, sequence: int, rules: Rules) -> None:
    missing = sequence - state.next
    if state.holes and state.holes[-1][1] == state.next - 1:
        state.holes[-1] = (state.holes[-1][0], sequence - 1)
    else:
        state.holes.append((state.next, sequence - 1))
        _forget_oldest(state, rules)
    _remember(state, bytes(min(missing, rules.fingerprints) * FINGERPRINT_BYTES), rules)
    state.next = sequence


def _forget_oldest(state: KeyState, rules: Rules) -> None:
    excess = len(state.holes) - rules.holes
    if excess > 0:
        state.forgotten_from = state.forgotten_from or state.holes[0][0]
        state.horizon = state.holes[excess - 1][1]
        del state.holes[:excess]


def _remember(state: KeyState, fingerprints: bytes, rules: Rules) -> None:
    remembered = state.fingerprints
    remembered += fingerprints
    excess = len(remembered) - rules.fingerprints * FINGERPRINT_BYTES
    if excess > 0:
        del remembered[:excess]
