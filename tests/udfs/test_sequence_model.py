"""The stream's functions and the contract's plain model, side by side, over anything that may happen to a room.

Each step of a machine is a few records, a timer or a restart; after each, everything that can be seen is compared. In
CI the steps are the same every time, so that only a change can turn the test red; for others, and many more:
``pytest --hypothesis-profile=long tests/udfs/test_sequence_model.py``.
"""

from collections import Counter
from typing import Any, ClassVar, NamedTuple

import msgspec
from arrivals import (
    DELAYS,
    EVENT_TABLES,
    GOOD,
    OTHER,
    REFUSED,
    Burst,
    Offered,
    bounds_of,
    bursts,
    cut,
    record,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sequence_model import Gap, Key, Room, Said
from stream import ARRIVED_MS, Checkpoint, Stream

from udfs.rules import DAY_MS, Rules
from udfs.sequence import KeyState
from udfs.state import key_bytes_bound, read_room, room_bytes_bound

SMALL = Rules(
    release="test", pending_events=4, pending_bytes=2_500, waiting_keys=2, holes=3, fingerprints=6, gap_timeout_ms=1_000
)
"""Bounds that a few events reach, so that they are hit all the time."""
STEPS_AT_LEAST = 20_000
RETENTION_MS = 7 * DAY_MS
"""A restart reads again what is at most so old; less than what idle state outlives."""

_decode_key = msgspec.msgpack.Decoder(KeyState).decode
KINDS = (
    *("timeout", "pending_full", "refused", "late"),  # causes of rows in sequence_gaps
    *("sequence_conflict", "too_late", "schema_violation"),  # reasons of quarantine
    *("duplicate", "expired"),
)
COUNTS = ("received", "stored", "duplicate", "quarantined", "pending", "released", "late")


BEHIND = st.sampled_from([1, 800, 3_000])
"""ms that a shard is behind the others."""
CUTS = st.lists(st.integers(0, 1_000), max_size=3)


def stored_in(rows: dict[str, list[Any]]) -> list[tuple[str, int, str, bool]]:
    """The events that were stored; along one ordering key in the order in which they were."""
    stored = [
        (row.ordering_key, row.sequence, row.event_id, row.late)
        for table in EVENT_TABLES
        for row in rows.get(table, [])
    ]
    return sorted(stored, key=lambda event: event[0])


def gaps_in(rows: dict[str, list[Any]]) -> list[Gap]:
    gaps = [
        Gap(row.ordering_key, row.first_sequence, row.last_sequence, row.cause, row.waited_ms, row.event_id)
        for row in rows.get("sequence_gaps", [])
    ]
    return sorted(gaps, key=lambda gap: gap.key)


def quarantined_in(rows: dict[str, list[Any]]) -> list[tuple[str, int, str, str]]:
    return [(row.ordering_key, row.sequence, row.event_id, row.reason) for row in rows.get("quarantined_events", [])]


def compare_rows(made: dict[str, list[Any]], said: Said) -> None:
    assert stored_in(made) == sorted(said.stored, key=lambda event: event[0])
    assert gaps_in(made) == sorted(said.gaps, key=lambda gap: gap.key)
    assert quarantined_in(made) == said.quarantined
    audits = made.get("record_audit", [])
    assert {count: sum(getattr(row, count) for row in audits) for count in COUNTS} == {
        count: said.counts[count] for count in COUNTS
    }


def compare_key(state: KeyState, key: Key) -> None:
    assert state.next == key.next
    assert state.holes == key.holes()
    assert {number: (waiting.since, not waiting.line) for number, waiting in state.pending.items()} == {
        number: (since, arrival.refused) for number, (since, arrival) in key.waiting.items()
    }
    assert state.pending_bytes == sum(len(waiting.line) for waiting in state.pending.values())


class Input(NamedTuple):
    """What a step was given, to be given again after a restart."""

    data: bytes | None
    """A record, or nothing for a timer."""
    events: list[Offered]
    clock: int
    """When the record arrived, or the shard's time at the timer."""


class Saved(NamedTuple):
    """Both sides at one moment."""

    stream: Checkpoint
    model: Room
    inputs: int
    now: int


class Machine(RuleBasedStateMachine):
    """One room; rules of the stream and sizes of bursts are those of a subclass."""

    stream_rules: ClassVar[Rules]
    steps: ClassVar[Counter[str]] = Counter()
    """How many steps ran, of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = Stream(rules=self.stream_rules)
        self.model = Room(bounds_of(self.stream_rules))
        self.now = ARRIVED_MS
        self.inputs: list[Input] = []
        self.saved = [self._save()]

    def arrive(self, drawn: list[Burst], cuts: list[int], after_ms: int, behind_ms: int = 0) -> None:
        """Some records, the events cut into them anywhere; ``behind_ms``: of a shard that is behind."""
        self.steps["records"] += 1
        self.now += after_ms
        for part in cut([event for burst in drawn for event in burst.events(self.model)], cuts):
            self._give(Input(record(part), part, self.now - behind_ms))
        self.saved.append(self._save())

    @rule(after_ms=DELAYS, behind_ms=BEHIND | st.just(0), idle_days=st.sampled_from([0] * 12 + [1, 17, 34, 35, 36]))
    def timer(self, after_ms: int, behind_ms: int, idle_days: int) -> None:
        """A timer asks the shard what time it is; then nobody may come for days."""
        self.steps["timer"] += 1
        self.now += after_ms
        self._give(Input(None, [], self.now - behind_ms))
        self.now += idle_days * DAY_MS
        self.saved.append(self._save())

    @precondition(lambda self: self.inputs)
    @rule(back=st.integers(1, 12), timers=st.booleans())
    def restart(self, back: int, timers: bool) -> None:
        """Go on from an earlier checkpoint, and read again what came since; timers fall as they did, or elsewhere."""
        self.steps["restart"] += 1
        recent = [saved for saved in self.saved if self.now - saved.now <= RETENTION_MS]
        if not recent:
            return
        saved = recent[max(0, len(recent) - 1 - back)]
        before, rows, expired = self._accepted(), self._rows(), self.model.expired
        again = self.inputs[saved.inputs :]
        self.stream.restore(saved.stream)
        self.model = saved.model.copy()
        del self.inputs[saved.inputs :]
        del self.saved[self.saved.index(saved) + 1 :]
        for given in again:
            if given.data is not None or timers:
                self._give(given)
        self.saved.append(self._save())
        if self.model.expired == expired == saved.model.expired:
            if timers:
                assert self._rows() == rows
            elif not any(key.forgotten for key in self.model.keys.values()):
                assert self._accepted() == before

    def _save(self) -> Saved:
        return Saved(self.stream.checkpoint(), self.model.copy(), len(self.inputs), self.now)

    def _give(self, given: Input) -> None:
        self.inputs.append(given)
        expired = self.model.expired
        if given.data is None:
            made = self.stream.fire(given.clock - ARRIVED_MS, now_ms=self.now)
            said = self.model.timer(given.clock, self.now)
        else:
            made = self.stream.take(given.data, arrived_at=given.clock, now_ms=self.now)
            said = self.model.record([event.arrival for event in given.events], given.clock, self.now)
            self.steps["events"] += len(given.events)
        for _, _, _, reason in said.quarantined:
            self.steps[reason] += 1
        for gap in said.gaps:
            self.steps[gap.cause] += 1
        self.steps["duplicate"] += said.counts["duplicate"]
        self.steps["expired"] += self.model.expired - expired
        compare_rows(made, said)
        self._compare_state()

    def _compare_state(self) -> None:
        room = read_room(self.stream.room)
        assert room.clock == self.model.clock
        waiting = [(name, self.model.keys[name].waits_since()) for name in self.model.waiting]
        assert list(room.waiting.items()) == waiting
        assert len(self.stream.room) <= room_bytes_bound(self.stream_rules)
        assert set(self.stream.keys) == set(self.model.keys)
        for name, data in self.stream.keys.items():
            assert len(data) <= key_bytes_bound(self.stream_rules)
            compare_key(_decode_key(data), self.model.keys[name])

    def _rows(self) -> dict[str, list[Any]]:
        return {table: stored_in({table: rows}) for table, rows in self.stream.rows.items()}

    def _accepted(self) -> set[tuple[str, int, str]]:
        """Everything that is stored, or waits in order to be."""
        stored = {row[:3] for row in stored_in(self.stream.rows)}
        keys = self.model.keys.items()
        return stored | {
            (name, number, arrival.event_id)
            for name, key in keys
            for number, (_, arrival) in key.waiting.items()
            if not arrival.refused
        }


class SmallMachine(Machine):
    """Small bounds, so that each is reached in almost every example."""

    stream_rules = SMALL
    steps: ClassVar[Counter[str]] = Counter()

    @rule(drawn=bursts(), cuts=CUTS, after_ms=DELAYS)
    def records(self, drawn: list[Burst], cuts: list[int], after_ms: int) -> None:
        self.arrive(drawn, cuts, after_ms)

    @rule(drawn=bursts(), cuts=CUTS, after_ms=DELAYS, behind_ms=BEHIND)
    def records_of_a_shard_that_is_behind(
        self, drawn: list[Burst], cuts: list[int], after_ms: int, behind_ms: int
    ) -> None:
        self.arrive(drawn, cuts, after_ms, behind_ms)


class DefaultMachine(Machine):
    """The rules of the contract, and bursts long enough to reach their bounds."""

    stream_rules = Rules(release="test")
    steps: ClassVar[Counter[str]] = Counter()

    @rule(
        drawn=bursts(offsets=range(-260, 260, 13), lengths=(1, 2, 40, 130, 300), kinds=(GOOD, GOOD, OTHER, REFUSED)),
        cuts=CUTS,
        after_ms=DELAYS,
    )
    def records(self, drawn: list[Burst], cuts: list[int], after_ms: int) -> None:
        self.arrive(drawn, cuts, after_ms)


def run(machine: type[Machine], examples: int, steps: int) -> Counter[str]:
    """Run a machine, and say what was done and came of it.

    :param examples: for each that the profile asks for.
    :param steps: of each example, mostly.
    """
    machine.steps.clear()
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples * settings.default.max_examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return machine.steps


def test_the_stream_does_what_the_plain_model_says():
    steps = run(SmallMachine, examples=5, steps=45)
    assert steps["records"] + steps["timer"] + steps["restart"] >= STEPS_AT_LEAST, steps
    for kind in KINDS:
        assert steps[kind] > 100, f"{kind} hardly ever happened: {steps}"


def test_the_stream_does_what_the_plain_model_says_with_the_rules_of_the_contract():
    steps = run(DefaultMachine, examples=1, steps=10)
    for kind in KINDS:
        assert steps[kind] > 10, f"{kind} hardly ever happened: {steps}"
