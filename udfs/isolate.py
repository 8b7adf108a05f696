"""Poison records: when a step breaks, find what breaks it, quarantine that alone, and let its neighbours pass.

A step leaves nothing behind until it is written, so it can be run again from where it began as often as it takes. Each
time it breaks, one more thing is found to blame and kept out of it: an event of the record; an event that had waited
and breaks on its release; what waits along an ordering key whose gap cannot be closed; what time alone brings about;
in the end the record as a whole. The run that passes is an ordinary step over what is left, so neighbours make exactly
the rows that they make without the poison. ``docs/decisions/0012-poison-records.md`` says why it is done this way.
"""

from collections import deque
from collections.abc import Callable

import msgspec
from msgspec import Struct

from codewave.contract.frame import unframe
from udfs.attempt import Attempt, Blame, Failure, Start
from udfs.failure import told
from udfs.quarantine import Record
from udfs.refusal import read_envelope
from udfs.room import Rows, Step
from udfs.sequence import Waiting
from udfs.state import KeyStates, RoomState, read_room, write_room

_encode = msgspec.msgpack.Encoder().encode

Work = Record | int
"""What a step is made for: a record, or a timer: then the time of the room's shard, ms since epoch."""


class IsolationRules(Struct, frozen=True, forbid_unknown_fields=True):
    """What isolating poison may hide, and after how much patience it begins."""

    after_failures: int = 3
    """Failures of one step before it is taken apart; 0: never, the failure is raised."""
    at_most: int = 100
    """Things that may be isolated within the window; at the next one the failure is raised."""
    window_ms: int = 60_000


class TooMuchToIsolateError(Exception):
    """More breaks than may be isolated: the code is to blame, not the events."""


class Written(Struct, gc=False):
    """A step that passed, ready to be written."""

    state: RoomState
    room: bytes
    keys: list[tuple[str, bytes]]
    rows: Rows
    batches: list[tuple[str, bytes]]
    """Output → its rows, encoded; of the wanted outputs."""
    failures: int = 0
    """How often it broke before it passed."""
    isolated: list[str] = []
    """What was kept out of it and why, without any content of events: for the log."""
    ended: list[str] = []
    """Of the ordering keys those that hardly an event comes of any more."""


def take(start: Start, work: Work, outputs: frozenset[str]) -> Written:
    """Make one step and encode all that it leaves: whatever can break, breaks before anything is written."""
    state, keys = read_room(start.room), KeyStates(start.read)
    step = Step(start.room_id, state, keys, start.rules, start.now_ms, outputs)
    return _written(state, keys, _run(step, work), outputs)


def _run(step: Step, work: Work) -> Rows:
    return step.process(work) if isinstance(work, Record) else step.fire(work)


def _written(state: RoomState, keys: KeyStates, rows: Rows, outputs: frozenset[str]) -> Written:
    batches = [(output, _encode(batch)) for output, batch in rows.items() if output in outputs]
    return Written(state, write_room(state), list(keys.written()), rows, batches, ended=keys.ended())


class Allowance:
    """How much may still be isolated: so many things in any window of time."""

    def __init__(self, rules: IsolationRules) -> None:
        self._rules = rules
        self._spent: deque[int] = deque()

    def spend(self, now_ms: int, error: Exception) -> None:
        """Isolate one more thing.

        :raises TooMuchToIsolateError: from ``error``, where that is one too many.
        """
        while self._spent and now_ms - self._spent[0] >= self._rules.window_ms:
            self._spent.popleft()
        if len(self._spent) >= self._rules.at_most:
            raise TooMuchToIsolateError(
                f"room_events: more than isolate_at_most={self._rules.at_most} things broke the job's code within "
                f"isolate_window_ms={self._rules.window_ms}; go back to the release before, or fix it: {told(error)}"
            ) from error
        self._spent.append(now_ms)


class Isolation:
    """Brings a step that broke to its end.

    :param outputs: the outputs that are written.
    :param allowance: shared by the steps of one subtask, also over its restarts.
    """

    def __init__(self, rules: IsolationRules, outputs: frozenset[str], allowance: Allowance) -> None:
        self._rules = rules
        self._outputs = outputs
        self._allowance = allowance

    def recover(self, start: Start, work: Work, error: Exception) -> Written:
        """Try a step again, and take it apart if it goes on breaking.

        :param error: with what it broke.
        :raises Exception: ``error``, or what broke last, where it cannot or may not be isolated.
        """
        if self._rules.after_failures == 0:
            raise error
        return _Recovery(start, work, self._outputs, self._allowance).run(error, self._rules.after_failures)


class _Recovery:
    """One step on its way from its first failure to its end."""

    def __init__(self, start: Start, work: Work, outputs: frozenset[str], allowance: Allowance) -> None:
        self._state = _StateReader(start.read)
        self._start = msgspec.structs.replace(start, read=self._state)
        self._work = work
        self._record = work if isinstance(work, Record) else None
        self._outputs = outputs
        self._allowance = allowance
        self._blame = Blame()
        self._isolated: list[str] = []

    def run(self, error: Exception, patience: int) -> Written:
        outcome: Written | Failure = Failure(error)
        failures = 1
        for _ in range(max(1, patience - 1)):  # at least once, which tells what it breaks on
            outcome = self._attempt()
            if isinstance(outcome, Written):
                break
            failures += 1
        while isinstance(outcome, Failure):
            self._isolate(outcome)
            outcome = self._attempt()
        outcome.failures = failures
        outcome.isolated = self._isolated
        return outcome

    def _attempt(self, events: int | None = None) -> Written | Failure:
        step: Attempt | None = None
        try:
            state, keys = read_room(self._start.room), KeyStates(self._start.read)
            step = Attempt(self._start, state, keys, self._blame, self._outputs, events)
            return _written(state, keys, _run(step, self._work), self._outputs)
        except MemoryError:
            raise
        except Exception as error:
            if self._state.failed:
                raise
            return Failure(error, step.waiting, step.stuck) if step else Failure(error)

    def _isolate(self, failure: Failure) -> None:
        """Blame one more thing for ``failure``."""
        self._allowance.spend(self._start.now_ms, failure.error)
        text = told(failure.error)
        if failure.stuck is not None or failure.waiting:
            found = self._blame_waiting(failure, text)
        else:
            found = self._blame_event(text) or self._blame_all(text)
        if found is None:
            raise failure.error
        self._isolated.append(f"{found}: {told(failure.error, own_words=False)}")

    def _blame_waiting(self, failure: Failure, text: str) -> str | None:
        blame = self._blame
        before = (len(blame.waiting), len(blame.events), len(blame.stuck))
        if failure.stuck is not None:
            blame.stuck.add(failure.stuck)
        for ordering_key, sequence, waiting in failure.waiting:
            earlier = KeyStates(self._start.read)[ordering_key].pending.get(sequence)
            if earlier is not None and earlier.line == waiting.line:
                blame.waiting[ordering_key, sequence] = text
            elif (position := self._came_at(ordering_key, sequence, waiting)) is not None:
                blame.events[position] = text
        if (len(blame.waiting), len(blame.events), len(blame.stuck)) == before:
            return None
        return "; ".join(f"{key}#{sequence}, which had waited" for key, sequence, _ in failure.waiting) or failure.stuck

    def _came_at(self, ordering_key: str, sequence: int, waiting: Waiting) -> int | None:
        """Where in the record the event is that waited in this very step."""
        if self._record is None:
            return None
        _, lines = unframe(self._record.data, self._start.rules.limits)
        wanted = read_envelope(waiting.line)
        for position, line in enumerate(lines):
            known = read_envelope(line)
            if line == waiting.line or (
                known
                and wanted
                and (known.ordering_key, known.sequence, known.event_id) == (ordering_key, sequence, wanted.event_id)
            ):
                return position
        return None

    def _blame_event(self, text: str) -> str | None:
        """Find the event with whose coming the step begins to break, by halves."""
        if self._record is None or self._blame.whole is not None or isinstance(self._attempt(0), Failure):
            return None
        passes, breaks = 0, len(unframe(self._record.data, self._start.rules.limits)[1])
        while breaks - passes > 1:
            middle = (passes + breaks) // 2
            if isinstance(self._attempt(middle), Failure):
                breaks = middle
            else:
                passes = middle
        if passes in self._blame.placeless:
            return None
        if passes in self._blame.events:
            self._blame.placeless.add(passes)
        self._blame.events.setdefault(passes, text)
        return f"{self._record.shard_id}:{self._record.sequence_number}:{passes}"

    def _blame_all(self, text: str) -> str | None:
        """It breaks without any event: let what time brings about wait, or else refuse the record as a whole."""
        blame = self._blame
        if not blame.time:
            blame.time = True
            if self._record is None or blame.whole is not None or not isinstance(self._attempt(0), Failure):
                return "what time alone brings about, which is put off"
            blame.time = False
        if self._record is None or blame.whole is not None:
            return None
        blame.whole = text
        return f"{self._record.shard_id}:{self._record.sequence_number}, the record as a whole"


class _StateReader:
    """Reads each ordering key's state once, and remembers whether reading itself failed: nobody's event is to blame."""

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self._read = read
        self._known: dict[str, bytes | None] = {}
        self.failed = False

    def __call__(self, ordering_key: str) -> bytes | None:
        if ordering_key not in self._known:
            try:
                self._known[ordering_key] = self._read(ordering_key)
            except BaseException:
                self.failed = True
                raise
        return self._known[ordering_key]
