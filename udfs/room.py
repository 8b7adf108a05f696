"""One step of the stream: a record of a room and the room's state in, state and typed rows out.

This is all the logic of the ``room_events`` job. It does no I/O and knows no clock: the time comes in.
"""

from typing import Final

from codewave.contract import events as e
from codewave.contract.frame import FrameError, Header, unframe
from codewave.contract.reasons import Reason
from udfs import sequence as seq
from udfs.activity import add_to_burst
from udfs.audit import UNKNOWN_TYPE, Tally
from udfs.decode import Decoder, decode_accepted, event_type
from udfs.execution import BY_LIMIT, BY_SILENCE, ExecutionEvent, SignOfLife, advance, close, status_row
from udfs.presence import live_row, observe
from udfs.quarantine import Record, quarantined
from udfs.reception import believed, corrected, earliest_believed, latest_believed
from udfs.refusal import Envelope, Refusal, envelope_of
from udfs.route import ROUTES, envelope
from udfs.rows import ActivityRow, RecordAuditRow, Row, SequenceGapRow
from udfs.rules import Rules
from udfs.sequence import Verdict
from udfs.state import KeyStates, RoomState

Rows = dict[str, list[Row]]
"""Output name → its rows, in order."""

_HOLDING_REASONS = frozenset(
    {
        Reason.SCHEMA_VIOLATION,
        Reason.UNKNOWN_TYPE,
        Reason.UNKNOWN_VERSION,
        Reason.TOO_LARGE,
        Reason.OPERATOR_FAILED,
    }
)
"""Refusals whose envelope can be trusted to name a place in the sequence that a redrive will fill."""

_SILENCE_TIMERS: Final = 16
"""Most timers that a room has out to find executions silent; one is found at most two sixteenths too late."""


class Step:
    """What happens to one room at one moment: a record, or a timer."""

    def __init__(self, room_id: str, state: RoomState, keys: KeyStates, rules: Rules, now_ms: int) -> None:
        self.room_id = room_id
        self.rows: Rows = {}
        self._state = state
        self._keys = keys
        self._rules = rules
        self._now = now_ms
        self._earliest = self._latest = 0
        """Between them ``received_at`` is believed: set with each record."""
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
        self._earliest = earliest_believed(record.arrived_at, self._rules)
        self._latest = latest_believed(record.arrived_at, self._rules)
        header, lines = self._unframe(record)
        for position, line in enumerate(lines):
            decoded = self._decoder.decode(line)
            if isinstance(decoded, Refusal):
                decoded.position = position
                self._refuse(decoded, record)
            else:
                self._place(*decoded, line, position, record)
        received_at = believed(header.sent_at, record.arrived_at, self._rules) if header else record.arrived_at
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
        """Bring the room's clock forward; close gaps that were open, then executions that were silent for too long."""
        self._state.clock = max(self._state.clock, clock)
        if self._state.waiting:
            self._close_gaps()
        if self._state.watched:
            self._close_silent()

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
        kept = line
        if not self._earliest <= event.received_at <= self._latest:
            kept = corrected(event, record.arrived_at)
        counts = self._tally.of(kind, event.received_at)
        counts.received += 1
        key = self._keys[event.ordering_key]
        verdict = seq.offer(key, event.sequence, fingerprint, kept, state.clock, self._rules)
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
            self._wait(event.ordering_key, key)
            if isinstance(event, SignOfLife) and event.payload.execution_id in state.watched:
                state.watched[event.payload.execution_id] = state.clock
        elif verdict is Verdict.DUPLICATE:
            counts.duplicate += 1
        elif verdict is Verdict.LATE:
            counts.stored += 1
            self._tally.late += 1
            self._store(event, kind, late=True)
            self._fill(event)
        else:
            self._set_aside(verdict, event, kind, line, position, record)

    def _set_aside(  # noqa: PLR0913, PLR0917 -- an event and where it came from
        self, verdict: Verdict, event: e.AnyEvent, kind: str, line: bytes, position: int, record: Record
    ) -> None:
        """Quarantine a valid event whose place is taken, or may be."""
        reason, message = _objection(verdict, event, self._keys[event.ordering_key])
        refusal = Refusal(reason, "$.sequence", message, line, envelope_of(event, kind), position)
        self._tally.of(kind, event.received_at).quarantined += 1
        self._add("quarantined_events", quarantined(refusal, record, self.room_id, self._rules.release))

    def _refuse(self, refusal: Refusal, record: Record) -> None:
        if refusal.envelope:
            refusal.envelope.received_at = believed(refusal.envelope.received_at, record.arrived_at, self._rules)
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
        if seq.leave_hole(key, known.sequence, self._state.clock):
            self._release(known.ordering_key, key)
            if key.pending:
                self._wait(known.ordering_key, key)

    def _wait(self, ordering_key: str, key: seq.KeyState) -> None:
        """Note that something of a key waits, and keep within the bounds of what may."""
        waiting = self._state.waiting
        waiting.setdefault(ordering_key, self._state.clock)
        while seq.too_many_wait(key, self._rules):
            self._declare(ordering_key, key, "pending_full")
        if len(waiting) > self._rules.waiting_keys:
            self._give_up(next(iter(waiting)), "pending_full")

    def _close_gaps(self) -> None:
        clock, timeout = self._state.clock, self._rules.gap_timeout_ms
        expired = [key for key, since in self._state.waiting.items() if clock - since >= timeout]
        for ordering_key in expired:
            key = self._keys[ordering_key]
            while key.pending and clock - seq.oldest_wait(key) >= timeout:
                self._declare(ordering_key, key, "timeout")
            if not key.pending:
                # Also where the key's state has expired before the room's: else the room would be looked at for ever.
                self._state.waiting.pop(ordering_key, None)

    def _give_up(self, ordering_key: str, cause: str) -> None:
        """Declare every gap of a key, so that nothing of it waits any more."""
        key = self._keys[ordering_key]
        while key.pending:
            self._declare(ordering_key, key, cause)
        self._state.waiting.pop(ordering_key, None)

    def _declare(self, ordering_key: str, key: seq.KeyState, cause: str) -> None:
        self._gap(ordering_key, seq.declare_gap(key, cause, self._state.clock, self._rules))
        self._release(ordering_key, key)

    def _release(self, ordering_key: str, key: seq.KeyState) -> None:
        for sequence, waiting in seq.drain(key, self._rules):
            if not waiting.line:
                self._gap(ordering_key, seq.Gap(sequence, sequence, "refused", 0))
                continue
            event = decode_accepted(waiting.line)
            kind = event_type(event)
            self._tally.of(kind, event.received_at).released += 1
            self._store(event, kind, late=False, since=waiting.since)
        if key.pending:
            self._state.waiting[ordering_key] = seq.oldest_wait(key)
        else:
            self._state.waiting.pop(ordering_key, None)

    def _store(self, event: e.AnyEvent, kind: str, *, late: bool, since: int | None = None) -> None:
        skewed = abs(event.occurred_at - event.received_at) > self._rules.clock_skew_ms
        output, make = ROUTES[kind]
        self._add(output, make(event.payload, envelope(event, kind, late, skewed)))
        observe(self._state.live, event, self._state.clock, self._rules)
        if isinstance(event, ExecutionEvent):
            self._live_on(event, self._state.clock if since is None else since)

    def _live_on(self, event: ExecutionEvent, since: int) -> None:
        """An event of an execution, which came when the room's clock was ``since``."""
        execution_id = event.payload.execution_id
        # One state for the execution, whoever else numbers events of it under a writer's suffix.
        key = self._keys[f"execution:{execution_id}"]
        key.execution, outcome = advance(key.execution, event)
        self._executions[execution_id] = status_row(key.execution, execution_id, self.room_id)
        if outcome is not None:
            self._add("execution_outcomes", outcome)
        watched, live = self._state.watched, self._state.live.running
        if not key.execution.runs:
            watched.pop(execution_id, None)
            if key.execution.outcome is not None:
                live.pop(execution_id, None)
            return
        heard_at = watched.setdefault(execution_id, since)
        if since > heard_at and isinstance(event, SignOfLife):
            watched[execution_id] = since
        if len(live) < self._rules.running_executions:
            live.setdefault(execution_id, event.occurred_at)
        if len(watched) > self._rules.watched_executions:
            self._lose(min(watched, key=lambda name: (watched[name], name)))

    def _close_silent(self) -> None:
        silent_since = self._state.clock - self._rules.execution_silence_ms
        silent = [(since, name) for name, since in self._state.watched.items() if since <= silent_since]
        for _, execution_id in sorted(silent):
            self._lose(execution_id)

    def _lose(self, execution_id: str) -> None:
        """Take a watched execution for lost: when its silence had lasted, however much later that is noticed."""
        since = self._state.watched.pop(execution_id)
        self._state.live.running.pop(execution_id, None)
        execution = self._keys[f"execution:{execution_id}"].execution
        if execution is None:
            return
        deadline = since + self._rules.execution_silence_ms
        at, decided_by = (deadline, BY_SILENCE) if deadline <= self._state.clock else (self._state.clock, BY_LIMIT)
        self._add("execution_outcomes", close(execution, execution_id, self.room_id, at, decided_by))
        self._executions[execution_id] = status_row(execution, execution_id, self.room_id)

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


def _objection(verdict: Verdict, event: e.AnyEvent, key: seq.KeyState) -> tuple[Reason, str]:
    if verdict is Verdict.CONFLICT:
        return Reason.SEQUENCE_CONFLICT, f"{event.ordering_key} has another event with sequence {event.sequence}"
    return Reason.TOO_LATE, (
        f"{event.ordering_key} has forgotten which numbers from {key.forgotten_from} to {key.horizon} are missing; "
        f"look for the event_id in the lake: there it is a duplicate, else it is missing and may be stored"
    )


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
