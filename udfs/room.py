"""One step of the stream: a record of a room and the room's state in, state and typed rows out.

This is all the logic of the ``room_events`` job. It does no I/O and knows no clock: the time comes in.
"""

from codewave.contract import events as e
from codewave.contract.frame import FrameError, Header, unframe
from codewave.contract.reasons import Reason
from udfs import sequence as seq
from udfs.activity import add_to_burst
from udfs.audit import UNKNOWN_TYPE, Tally
from udfs.decode import Decoder, decode_accepted, event_type
from udfs.execution import advance, status_row
from udfs.presence import live_row, observe
from udfs.quarantine import Record, quarantined
from udfs.refusal import Envelope, Refusal, envelope_of
from udfs.route import ROUTES, envelope
from udfs.rows import ActivityRow, RecordAuditRow, Row, SequenceGapRow
from udfs.rules import Rules
from udfs.sequence import Verdict
from udfs.state import KeyStates, RoomState

Rows = dict[str, list[Row]]
"""Output name → its rows, in order."""

_HOLDING_REASONS = frozenset({Reason.SCHEMA_VIOLATION, Reason.UNKNOWN_TYPE, Reason.UNKNOWN_VERSION, Reason.TOO_LARGE})
"""Refusals whose envelope can be trusted to name a place in the sequence that a redrive will fill."""


class Step:
    """What happens to one room at one moment: a record, or a timer."""

    def __init__(self, room_id: str, state: RoomState, keys: KeyStates, rules: Rules, now_ms: int) -> None:
        self.room_id = room_id
        self.rows: Rows = {}
        self._state = state
        self._keys = keys
        self._rules = rules
        self._now = now_ms
        self._bounds = (rules.pending_events, rules.pending_bytes)
        self._decoder = Decoder(room_id, rules.limits)
        self._tally = Tally()
        self._bursts: dict[tuple[str, str], ActivityRow] = {}
        self._executions: dict[str, Row] = {}

    def process(self, record: Record) -> Rows:
        """Take in a record.

        :returns: the rows it makes, its audit row among them.
        """
        self._advance(record.arrived_at)
        self._state.shard_id = record.shard_id
        header, lines = self._unframe(record)
        for position, line in enumerate(lines):
            decoded = self._decoder.decode(line)
            if isinstance(decoded, Refusal):
                decoded.position = position
                self._refuse(decoded, record)
            else:
                self._place(*decoded, line, position, record)
        received_at = header.sent_at if header else record.arrived_at
        self._finish()
        self._add("record_audit", self._audit(record, header, received_at))
        return self.rows

    def fire(self, clock: int) -> Rows:
        """A timer: in a room where nothing comes in any more, time goes on and gaps close.

        :param clock: the time of the room's shard, ms since epoch (:mod:`udfs.stream_clock`).
        """
        self._advance(clock)
        self._finish()
        if self.rows:
            self._add("record_audit", self._audit(None, None, self._state.clock))
        return self.rows

    def _advance(self, clock: int) -> None:
        """Bring the room's clock forward and close the gaps that have then been open for too long."""
        self._state.clock = max(self._state.clock, clock)
        if self._state.waiting:
            self._close_gaps()

    def _unframe(self, record: Record) -> tuple[Header | None, list[bytes]]:
        try:
            header, lines = unframe(record.data, self._rules.limits)
        except FrameError as error:
            self._refuse(Refusal(error.reason, "$", str(error), record.data), record)
            return None, []
        if header and header.room_id != self.room_id:
            message = f"header of room {header.room_id} in a record of {self.room_id!r}"
            self._refuse(Refusal(Reason.BAD_FRAME, "$.room_id", message, record.data), record)
            return None, []
        return header, lines

    def _place(self, event: e.AnyEvent, fingerprint: bytes, line: bytes, position: int, record: Record) -> None:
        state = self._state
        kind = event_type(event)
        counts = self._tally.of(kind, event.received_at)
        counts.received += 1
        key = self._keys[event.ordering_key]
        verdict = seq.offer(key, event.sequence, fingerprint, line, state.clock, self._bounds)
        while verdict is Verdict.FULL:
            self._declare(event.ordering_key, key, "pending_full")
            verdict = seq.offer(key, event.sequence, fingerprint, line, state.clock, self._bounds)
        if verdict <= Verdict.WAIT and isinstance(event, e.DocumentEdited):
            # Counted where it arrives, not where it is released: the same bursts, whenever a gap before it closes.
            add_to_burst(self._bursts, event, self._rules.preview_characters)
        if verdict is Verdict.PASS:
            counts.stored += 1
            self._store(event, kind, late=False)
            if key.pending:
                self._release(event.ordering_key, key)
        elif verdict is Verdict.WAIT:
            counts.pending += 1
            state.waiting.setdefault(event.ordering_key, state.clock)
        elif verdict is Verdict.DUPLICATE:
            counts.duplicate += 1
        elif verdict is Verdict.LATE:
            counts.stored += 1
            self._tally.late += 1
            self._store(event, kind, late=True)
            self._fill(event)
        else:
            self._conflict(event, kind, line, position, record)

    def _conflict(self, event: e.AnyEvent, kind: str, line: bytes, position: int, record: Record) -> None:
        message = f"{event.ordering_key} has another event with sequence {event.sequence}"
        refusal = Refusal(Reason.SEQUENCE_CONFLICT, "$.sequence", message, line, envelope_of(event, kind), position)
        self._tally.of(kind, event.received_at).quarantined += 1
        self._add("quarantined_events", quarantined(refusal, record, self.room_id, self._rules.release))

    def _refuse(self, refusal: Refusal, record: Record) -> None:
        row = quarantined(refusal, record, self.room_id or None, self._rules.release)
        counts = self._tally.of(row.type or UNKNOWN_TYPE, row.received_at)
        counts.received += 1
        counts.quarantined += 1
        self._add("quarantined_events", row)
        known = refusal.envelope
        if known and refusal.reason in _HOLDING_REASONS and known.room_id == self.room_id:
            self._hold_place(known)

    def _hold_place(self, known: Envelope) -> None:
        key = self._keys[known.ordering_key]
        clock = self._state.clock
        if seq.leave_hole(key, known.sequence, clock, self._bounds):
            self._gap(known.ordering_key, seq.Gap(known.sequence, known.sequence, "refused", 0))
            self._release(known.ordering_key, key)

    def _close_gaps(self) -> None:
        clock, timeout = self._state.clock, self._rules.gap_timeout_ms
        expired = [key for key, since in self._state.waiting.items() if clock - since >= timeout]
        for ordering_key in expired:
            key = self._keys[ordering_key]
            while key.pending and clock - seq.oldest_wait(key) >= timeout:
                self._declare(ordering_key, key, "timeout")

    def _declare(self, ordering_key: str, key: seq.KeyState, cause: str) -> None:
        self._gap(ordering_key, seq.declare_gap(key, cause, self._state.clock))
        self._release(ordering_key, key)

    def _release(self, ordering_key: str, key: seq.KeyState) -> None:
        for waiting in seq.drain(key):
            event = decode_accepted(waiting.line)
            kind = event_type(event)
            self._tally.of(kind, event.received_at).released += 1
            self._store(event, kind, late=False)
        if key.pending:
            self._state.waiting[ordering_key] = seq.oldest_wait(key)
        else:
            self._state.waiting.pop(ordering_key, None)

    def _store(self, event: e.AnyEvent, kind: str, *, late: bool) -> None:
        skewed = abs(event.occurred_at - event.received_at) > self._rules.clock_skew_ms
        output, make = ROUTES[kind]
        self._add(output, make(event.payload, envelope(event, kind, late, skewed)))
        observe(self._state.live, event, self._rules)
        if isinstance(event, e.ExecutionQueued | e.ExecutionStarted | e.ExecutionOutput | e.ExecutionFinished):
            key = self._keys[event.ordering_key]
            key.execution, outcome = advance(key.execution, event)
            self._executions[event.payload.execution_id] = status_row(key.execution, event)
            if outcome is not None:
                self._add("execution_outcomes", outcome)

    def _gap(self, ordering_key: str, gap: seq.Gap) -> None:
        self._add(
            "sequence_gaps",
            SequenceGapRow(
                gap_id=f"{ordering_key}#{gap.first}",
                room_id=self.room_id,
                ordering_key=ordering_key,
                first_sequence=gap.first,
                last_sequence=gap.last,
                status="declared",
                cause=gap.cause,
                event_id=None,
                waited_ms=gap.waited_ms,
                received_at=self._state.clock,
            ),
        )

    def _fill(self, event: e.AnyEvent) -> None:
        self._add(
            "sequence_gaps",
            SequenceGapRow(
                gap_id=f"{event.ordering_key}#{event.sequence}@{event.event_id}",
                room_id=self.room_id,
                ordering_key=event.ordering_key,
                first_sequence=event.sequence,
                last_sequence=event.sequence,
                status="filled",
                cause="late",
                event_id=event.event_id,
                waited_ms=0,
                received_at=event.received_at,
            ),
        )

    def _finish(self) -> None:
        for burst in self._bursts.values():
            self._add("activity", burst)
        for status in self._executions.values():
            self._add("executions", status)
        live = self._state.live
        clock = self._state.clock
        if self.rows and self.room_id and clock - live.updated_at >= self._rules.room_update_ms:
            self._add("rooms", live_row(live, self.room_id, clock, self._now, self._rules))

    def _audit(self, record: Record | None, header: Header | None, received_at: int) -> RecordAuditRow:
        tally = self._tally
        arrived_at = record.arrived_at if record else self._now
        return RecordAuditRow(
            cause="record" if record else "timer",
            room_id=self.room_id or None,
            shard_id=record.shard_id if record else None,
            sequence_number=record.sequence_number if record else None,
            arrived_at=arrived_at,
            received_at=received_at,
            processed_at=self._now,
            collector=header.collector if header else None,
            batch=header.batch if header else None,
            bytes=len(record.data) if record else 0,
            received=tally.total("received"),
            stored=tally.total("stored"),
            duplicate=tally.total("duplicate"),
            quarantined=tally.total("quarantined"),
            pending=tally.total("pending"),
            released=tally.total("released"),
            late=tally.late,
            by_type=list(tally.by_type.values()),
            send_delay_ms=arrived_at - header.sent_at if header else None,
            process_delay_ms=max(0, self._now - arrived_at),
        )

    def _add(self, output: str, row: Row) -> None:
        rows = self.rows.get(output)
        if rows is None:
            rows = self.rows[output] = []
        rows.append(row)


def wants_timer(state: RoomState) -> bool:
    """Whether the room must be looked at again even if no record comes: something waits."""
    return bool(state.waiting)
