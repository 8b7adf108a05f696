"""One step of the stream: a record of a room and the room's state in, state and typed rows out.

This is all the logic of the ``room_events`` job. It does no I/O and knows no clock: the time comes in.
"""

from collections.abc import Collection
from operator import sub

from codewave.contract import events as e
from codewave.contract.frame import FrameError, Header, unframe
from codewave.contract.reasons import Reason
from udfs import sequence as seq
from udfs.activity import bursts
from udfs.audit import UNKNOWN_TYPE, Tally, audit_row
from udfs.batch import EXECUTION_EVENTS, TYPE_NAMES, Batch, group_by_type, read_batch
from udfs.decode import Decoder, decode_accepted
from udfs.execution import BY_LIMIT, BY_SILENCE, ExecutionEvent, SignOfLife, advance, close, status_row
from udfs.gaps import declared_row, filled_row
from udfs.presence import live_row, observe
from udfs.quarantine import Record, quarantined
from udfs.reception import believed, corrected, earliest_believed, latest_believed
from udfs.refusal import Envelope, Refusal, envelope_of
from udfs.route import ROUTES
from udfs.rows import OUTPUTS, Row
from udfs.rules import HOUR_MS, Rules
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


class Step:
    """What happens to one room at one moment: a record, or a timer."""

    together = True
    """Whether the events of a record may be placed together; to find out which of them breaks, they must not."""

    def __init__(  # noqa: PLR0913, PLR0917 -- what a step is made of
        self,
        room_id: str,
        state: RoomState,
        keys: KeyStates,
        rules: Rules,
        now_ms: int,
        outputs: Collection[str] = OUTPUTS,
    ) -> None:
        """:param outputs: those that are read; of the others only what costs nothing is made."""
        self.room_id = room_id
        self._shows_rooms = "rooms" in outputs
        self._shows_activity = "activity" in outputs
        self._shows_executions = "executions" in outputs
        self.rows: Rows = {}
        self._state = state
        self._keys = keys
        self._rules = rules
        self._now = now_ms
        self._earliest = self._latest = 0
        """Between them ``received_at`` is believed: set with each record."""
        self._decoder = Decoder(room_id, rules.limits)
        self._tally = Tally()
        self._edits: dict[int, e.DocumentEdited] = {}
        """Accepted edits, by their place in the record."""
        self._executions: dict[str, Row] = {}

    def process(self, record: Record) -> Rows:
        """Take in a record.

        :returns: the rows it makes, its audit row among them.
        """
        self._advance(record.arrived_at)
        self._state.shard_id = record.shard_id
        self._earliest = earliest_believed(record.arrived_at, self._rules)
        self._latest = latest_believed(record.arrived_at, self._rules)
        batch = read_batch(record.data, self.room_id, self._rules.limits) if self.together else None
        if batch is not None and self._in_time(batch):
            header: Header | None = batch.header
            self._place_together(batch, record)
        else:
            header, lines = self._unframe(record)
            self._place_one_by_one(lines, record)
        received_at = believed(header.sent_at, record.arrived_at, self._rules) if header else record.arrived_at
        self._finish()
        self._add("record_audit", audit_row(self._tally, self.room_id, self._now, received_at, record, header))
        return self.rows

    def fire(self, clock: int) -> Rows:
        """A timer: in a room where nothing comes in any more, time goes on and gaps close.

        :param clock: the time of the room's shard, ms since epoch (:mod:`udfs.stream_clock`).
        """
        self._advance(clock)
        self._finish()
        if self.rows:
            self._add("record_audit", audit_row(self._tally, self.room_id, self._now, self._state.clock))
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

    def _in_time(self, batch: Batch) -> bool:
        """Whether all were received within one hour, at times that are believed, from writers whose clocks agree."""
        received = batch.columns.received_at
        first, last = min(received), max(received)
        if first < self._earliest or last > self._latest or first // HOUR_MS != last // HOUR_MS:
            return False
        ahead: list[int] = list(map(sub, batch.columns.occurred_at, received))
        return max(ahead) <= self._rules.clock_skew_ms and min(ahead) >= -self._rules.clock_skew_ms

    def _place_together(self, batch: Batch, record: Record) -> None:
        """Place the events of every ordering key of which nothing waits, all at once; of other keys one by one."""
        events, numbers, rules = batch.events, batch.columns.sequence, self._rules
        keys = len(self._state.waiting) + len(batch.positions)
        # Where bounds might be reached while the record is placed, it matters which event came before which.
        roomy = len(batch.body) <= rules.pending_bytes and keys <= rules.waiting_keys
        left_out: list[int] = []
        apart: list[int] = []
        waited: list[int] = []
        ordered = events
        for ordering_key, positions in batch.positions.items():
            key = self._keys[ordering_key]
            prints = [batch.fingerprints[position] for position in positions]
            sequences = [numbers[position] for position in positions]
            if seq.offer_run(key, sequences, prints, rules):
                continue
            placed = seq.offer_together(key, sequences, prints, rules) if roomy else None
            if placed is None:
                apart += positions
                continue
            passed, duplicates, late = placed
            left_out += [positions[index] for index in duplicates]
            if late:
                waited += [positions[index] for index in late]
                ordered = ordered if ordered is not events else events.copy()
                for position, index in zip(sorted([positions[index] for index in passed]), passed, strict=True):
                    ordered[position] = events[positions[index]]
        for position in left_out:
            self._tally.duplicate(TYPE_NAMES[events[position].__class__], events[position].received_at)
        self._store_together(batch, ordered, {*left_out, *apart})
        for position in waited:
            self._tally.waited(TYPE_NAMES[events[position].__class__], events[position].received_at)
        for position in sorted(apart):
            self._place(events[position], batch.fingerprints[position], batch.line(position), position, record)

    def _store_together(self, batch: Batch, events: list[e.AnyEvent], left_out: set[int]) -> None:
        """Store the events of a batch, in this order, but for those in some places."""
        if self._shows_activity:
            for position, event in enumerate(batch.events):
                if isinstance(event, e.DocumentEdited) and position not in left_out:
                    self._edits[position] = event
        by_type = batch.by_type
        if left_out:
            events = [event for position, event in enumerate(events) if position not in left_out]
        if events is not batch.events:
            by_type = group_by_type(events)
        for kind, same in by_type.items():
            counts = self._tally.of(kind, same[0].received_at)
            counts.received += len(same)
            counts.stored += len(same)
            output, make = ROUTES[kind]
            self.rows.setdefault(output, []).extend([make(event, False, False) for event in same])
        if self._shows_rooms:
            for event in events:
                observe(self._state.live, event, self._state.clock, self._rules)
        if any(kind.startswith("execution.") for kind in by_type):
            for event in events:
                if event.__class__ in EXECUTION_EVENTS:
                    self._live_on(event, self._state.clock)  # type: ignore[arg-type]

    def _place_one_by_one(self, lines: list[bytes], record: Record) -> None:
        for position, line in enumerate(lines):
            decoded = self._decoder.decode(line)
            if isinstance(decoded, Refusal):
                decoded.position = position
                self._refuse(decoded, record)
            else:
                self._place(*decoded, line, position, record)

    def _place(self, event: e.AnyEvent, fingerprint: bytes, line: bytes, position: int, record: Record) -> None:
        state = self._state
        kind = TYPE_NAMES[event.__class__]
        kept = line
        if not self._earliest <= event.received_at <= self._latest:
            kept = corrected(event, record.arrived_at)
        counts = self._tally.of(kind, event.received_at)
        counts.received += 1
        key = self._keys[event.ordering_key]
        verdict = seq.offer(key, event.sequence, fingerprint, kept, state.clock, self._rules)
        if self._shows_activity and verdict <= Verdict.WAIT and isinstance(event, e.DocumentEdited):
            # Counted where it arrives, not where it is released: the same bursts, whenever a gap before it closes.
            self._edits[position] = event
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
            self._add("sequence_gaps", filled_row(event))
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
            kind = TYPE_NAMES[event.__class__]
            self._tally.of(kind, event.received_at).released += 1
            self._store(event, kind, late=False, since=waiting.since)
        if key.pending:
            self._state.waiting[ordering_key] = seq.oldest_wait(key)
        else:
            self._state.waiting.pop(ordering_key, None)

    def _store(self, event: e.AnyEvent, kind: str, *, late: bool, since: int | None = None) -> None:
        skewed = abs(event.occurred_at - event.received_at) > self._rules.clock_skew_ms
        output, make = ROUTES[kind]
        self._add(output, make(event, late, skewed))
        if self._shows_rooms:
            observe(self._state.live, event, self._state.clock, self._rules)
        if event.__class__ in EXECUTION_EVENTS:
            self._live_on(event, self._state.clock if since is None else since)  # type: ignore[arg-type]

    def _live_on(self, event: ExecutionEvent, since: int) -> None:
        """An event of an execution, which came when the room's clock was ``since``."""
        execution_id = event.payload.execution_id
        # One state for the execution, whoever else numbers events of it under a writer's suffix.
        key = self._keys[f"execution:{execution_id}"]
        key.execution, outcome = advance(key.execution, event)
        if self._shows_executions:
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
        self._add("sequence_gaps", declared_row(gap, ordering_key, self.room_id, self._state.clock))

    def _finish(self) -> None:
        if self._edits:
            edits = [edit for _, edit in sorted(self._edits.items())]
            for burst in bursts(edits, self._rules.preview_characters):
                self._add("activity", burst)
        for status in self._executions.values():
            self._add("executions", status)
        live = self._state.live
        clock = self._state.clock
        if self._shows_rooms and self.rows and self.room_id and clock - live.updated_at >= self._rules.room_update_ms:
            self._add("rooms", live_row(live, self.room_id, clock, self._now, self._rules))

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
