"""A run of a step that keeps out what is to blame for breaking it, and notes what it breaks on.

It is a :class:`udfs.room.Step` in all else: nothing here makes rows of events.
"""

from collections.abc import Callable, Collection
from typing import Any

from msgspec import Struct

from codewave.contract.events import AnyEvent
from codewave.contract.frame import Header
from codewave.contract.reasons import Reason
from udfs.audit import UNKNOWN_TYPE
from udfs.decode import Decoder
from udfs.quarantine import Record, quarantined, waiting_record
from udfs.refusal import Envelope, Refusal, read_envelope
from udfs.room import Step
from udfs.rules import Rules
from udfs.sequence import NO_FINGERPRINT, KeyState, Waiting
from udfs.state import KeyStates, RoomState


class Start(Struct, gc=False):
    """Where a step begins."""

    room_id: str
    room: bytes | None
    """The room's state."""
    read: Callable[[str], bytes | None]
    """Reads the state of an ordering key."""
    rules: Rules
    now_ms: int


class Blame(Struct):
    """What has been found so far to break a step, each with the exception told."""

    events: dict[int, str] = {}
    """By position in the record."""
    waiting: dict[tuple[str, int], str] = {}
    """By ordering key and sequence; in the state as it was before the step."""
    placeless: set[int] = set()
    """Positions of events whose place cannot be kept either."""
    stuck: set[str] = set()
    """Ordering keys whose gaps cannot be closed."""
    time: bool = False
    """Whether what time alone brings about has to wait."""
    whole: str | None = None
    """Why the record as a whole is refused."""


class Failure(Struct):
    """A run that broke."""

    error: Exception
    waiting: list[tuple[str, int, Waiting]] = []
    """Ordering key, sequence and event of what it broke on, where that had waited."""
    stuck: str | None = None
    """The ordering key whose gap it broke on."""


class _Refused(bytes):
    """An event's bytes that are to be refused without another look."""

    refusal: Refusal


class _Decoder(Decoder):
    """Passes on refusals that are settled."""

    def decode(self, line: bytes) -> tuple[AnyEvent, bytes] | Refusal:
        return line.refusal if isinstance(line, _Refused) else super().decode(line)


class Attempt(Step):
    """A step that keeps out what is to blame, and notes on what it breaks.

    :param events: of the record's events only the first so many.
    """

    together = False

    def __init__(  # noqa: PLR0913, PLR0917 -- what a step is made of
        self,
        start: Start,
        state: RoomState,
        keys: KeyStates,
        blame: Blame,
        outputs: Collection[str],
        events: int | None,
    ) -> None:
        super().__init__(start.room_id, state, keys, start.rules, start.now_ms, outputs)
        self._decoder = _Decoder(start.room_id, start.rules.limits)
        self._blame = blame
        self._only = events
        self._stored = 0
        self._refusing = -1
        self.waiting: list[tuple[str, int, Waiting]] = []
        self.stuck: str | None = None

    def _advance(self, clock: int) -> None:
        self._state.clock = max(self._state.clock, clock)
        for (ordering_key, sequence), text in self._blame.waiting.items():
            self._take_out(ordering_key, sequence, text)
        for ordering_key in self._blame.stuck:
            key = self._keys[ordering_key]
            key.pending, key.pending_bytes = {}, 0
            self._state.waiting.pop(ordering_key, None)
        if not self._blame.time:
            super()._advance(clock)

    def _take_out(self, ordering_key: str, sequence: int, text: str) -> None:
        """Quarantine an event that waits; its place goes on waiting, and becomes a hole when its turn comes."""
        key = self._keys[ordering_key]
        waiting = key.pending[sequence]
        key.pending[sequence] = Waiting(waiting.since, NO_FINGERPRINT, b"")
        key.pending_bytes -= len(waiting.line)
        known = read_envelope(waiting.line)
        record = waiting_record(self._state.shard_id, waiting.since)
        refusal = Refusal(Reason.OPERATOR_FAILED, "$", text, waiting.line, known)
        row = quarantined(refusal, record, self.room_id, self._rules.release)
        row.quarantine_id = f"{ordering_key}#{sequence}@{row.event_id}"
        counts = self._tally.of(row.type or UNKNOWN_TYPE, row.received_at)
        counts.pending -= 1  # It was counted as pending when it came: within this row and over all rows, counts close.
        counts.quarantined += 1
        self._add("quarantined_events", row)

    def _unframe(self, record: Record) -> tuple[Header | None, list[bytes]]:
        if self._blame.whole is not None:
            self._refuse(Refusal(Reason.OPERATOR_FAILED, "$", self._blame.whole, record.data), record)
            return None, []
        header, lines = super()._unframe(record)
        for position, text in self._blame.events.items():
            if position < len(lines):
                line = lines[position] = _Refused(lines[position])
                line.refusal = Refusal(Reason.OPERATOR_FAILED, "$", text, bytes(line), read_envelope(line), position)
        return header, lines[: self._only]

    def _refuse(self, refusal: Refusal, record: Record) -> None:
        self._refusing = refusal.position
        super()._refuse(refusal, record)

    def _hold_place(self, known: Envelope) -> None:
        if known.ordering_key not in self._blame.stuck and self._refusing not in self._blame.placeless:
            super()._hold_place(known)

    def _declare(self, ordering_key: str, key: KeyState, cause: str) -> None:
        waiting = [(ordering_key, sequence, one) for sequence, one in key.pending.items() if one.line]
        try:
            super()._declare(ordering_key, key, cause)
        except Exception:
            if not self.waiting:
                self.waiting, self.stuck = waiting, ordering_key
            raise

    def _release(self, ordering_key: str, key: KeyState) -> None:
        before = sorted(key.pending.items())
        self._stored = 0
        try:
            super()._release(ordering_key, key)
        except Exception:
            released = [(ordering_key, sequence, one) for sequence, one in before if one.line]
            released = [one for one in released if one[1] not in key.pending]
            self.waiting = released[self._stored : self._stored + 1]
            raise

    def _store(self, *event: Any, **how: Any) -> None:
        super()._store(*event, **how)
        self._stored += 1
