"""Generated rooms."""

import tracemalloc
from collections import Counter, defaultdict

import msgspec
import pytest
from recording_sink import options

from codewave.contract.events import EVENT_TYPES, AnyEvent, Event
from codewave.contract.limits import DEFAULT_LIMITS
from codewave.contract.text import apply_patches
from codewave.workload.player import steps_of
from codewave.workload.rooms import Room
from codewave.workload.writing import MAX_CHARACTERS
from udfs.decode import Decoder
from udfs.reconstruct import Operation, reconstruct


@pytest.fixture(scope="module")
def events() -> list[AnyEvent]:
    return [step.event for step in steps_of([], options(rooms=4, seconds=400))]


def kind(event: Event) -> str:
    return str(event.__struct_config__.tag)


def test_every_event_is_one_the_stream_accepts(events: list[AnyEvent]) -> None:
    decoders = {event.room_id: Decoder(event.room_id, DEFAULT_LIMITS) for event in events}
    for event in events:
        assert isinstance(decoders[event.room_id].decode(msgspec.json.encode(event)), tuple)


def test_every_type_of_the_contract_occurs(events: list[AnyEvent]) -> None:
    assert {kind(event) for event in events} == set(EVENT_TYPES)


def test_the_mix_is_that_of_people_who_write(events: list[AnyEvent]) -> None:
    share = {name: count / len(events) for name, count in Counter(map(kind, events)).items()}
    assert share["document.edited"] == pytest.approx(0.60, abs=0.05)
    assert share["cursor.moved"] == pytest.approx(0.25, abs=0.03)


def test_a_room_makes_about_ten_events_a_second(events: list[AnyEvent]) -> None:
    assert len(events) / (4 * 400) == pytest.approx(10, rel=0.1)


def test_sequences_are_contiguous_from_1_along_every_ordering_key(events: list[AnyEvent]) -> None:
    sequences: dict[str, list[int]] = defaultdict(list)
    for event in events:
        sequences[event.ordering_key].append(event.sequence)
    for numbers in sequences.values():
        assert numbers == list(range(1, len(numbers) + 1))


def test_event_ids_are_distinct(events: list[AnyEvent]) -> None:
    assert len({event.event_id for event in events}) == len(events)


def test_virtual_time_never_goes_back(events: list[AnyEvent]) -> None:
    times = [event.occurred_at for event in events]
    assert times == sorted(times)


def test_several_users_share_a_document(events: list[AnyEvent]) -> None:
    writers: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if kind(event) == "document.edited":
            writers[event.ordering_key].add(event.user_id)
    assert max(map(len, writers.values())) > 1


def test_every_document_can_be_reconstructed_with_its_checksums() -> None:
    texts: dict[str, str] = {}
    edits: dict[str, list[Operation]] = defaultdict(list)
    others: dict[str, list[int]] = defaultdict(list)
    for step in steps_of([], options(rooms=3, seconds=200)):
        event = step.event
        if kind(event) == "document.edited":
            operation = Operation(event.sequence, event.payload.patches, event.payload.checksum)
            edits[event.ordering_key].append(operation)
            texts[event.ordering_key] = step.text or ""
        elif kind(event).startswith("document."):
            others[event.ordering_key].append(event.sequence)
    for key, text in texts.items():
        result = reconstruct(edits[key], other_sequences=others[key])
        assert (result.problems, result.text) == ([], text)
    assert sum(len(numbers) for numbers in others.values()) > 10


def test_snapshots_tell_the_text_they_were_taken_of() -> None:
    texts: dict[str, str] = {}
    snapshots = 0
    for step in steps_of([], options(rooms=2, seconds=300)):
        if step.text is not None:
            texts[step.event.ordering_key] = step.text
        elif kind(step.event) == "document.snapshotted":
            snapshots += 1
            assert step.event.payload.characters == len(texts[step.event.ordering_key])
    assert snapshots


def test_every_execution_finishes_and_tells_its_life_in_order(events: list[AnyEvent]) -> None:
    lives: dict[str, list[str]] = defaultdict(list)
    for event in events:
        if kind(event).startswith("execution."):
            lives[event.payload.execution_id].append(kind(event).removeprefix("execution."))
    assert len(lives) > 20
    for life in lives.values():
        assert life[0] == "queued"
        assert life[-1] == "finished"
        assert life[1:-1] in ([], ["started", *["output"] * (len(life) - 3)])


def test_executions_stay_unfinished_only_when_asked() -> None:
    counts = Counter(kind(step.event) for step in steps_of([], options(rooms=4, seconds=200, unfinished=0.5)))
    assert 0 < counts["execution.finished"] < counts["execution.queued"]


def test_a_finished_execution_tells_the_time_between_its_start_and_end(events: list[AnyEvent]) -> None:
    started: dict[str, int] = {}
    for event in events:
        if kind(event) == "execution.started":
            started[event.payload.execution_id] = event.occurred_at
        elif kind(event) == "execution.finished" and event.payload.execution_id in started:
            assert event.payload.wall_ms == event.occurred_at - started[event.payload.execution_id]
            assert event.payload.cpu_ms <= event.payload.wall_ms


def test_everybody_who_joined_has_left_at_the_end(events: list[AnyEvent]) -> None:
    joined = {event.session_id for event in events if kind(event) == "presence.joined"}
    left = {event.session_id for event in events if kind(event) == "presence.left"}
    assert joined == left


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second = (
        [msgspec.json.encode(step.event) for step in steps_of([], options(rooms=3, seconds=30))] for _ in range(2)
    )
    assert first == second


def test_another_seed_gives_other_events() -> None:
    first, second = ({step.event.event_id for step in steps_of([], options(seed=seed))} for seed in (1, 2))
    assert not first & second


def test_a_room_does_not_depend_on_how_many_others_there_are() -> None:
    alone = [step.event.event_id for step in Room(1, 0, options(rooms=1)).steps()]
    among = [step.event for step in steps_of([], options(rooms=3))]
    assert alone == [event.event_id for event in among if event.room_id.startswith("room-00001-")]


def test_texts_stay_bounded_however_long_the_run() -> None:
    longest = max(len(step.text) for step in steps_of([], options(rooms=1, seconds=3_000)) if step.text is not None)
    assert MAX_CHARACTERS * 0.9 < longest < MAX_CHARACTERS + 1_500


def test_patches_lead_from_one_text_to_the_next() -> None:
    texts: dict[str, str] = {}
    for step in steps_of([], options(rooms=1, seconds=100)):
        if step.text is not None:
            before = texts.get(step.event.ordering_key, "")
            assert apply_patches(before, step.event.payload.patches) == step.text
            texts[step.event.ordering_key] = step.text


def test_memory_does_not_grow_with_the_length_of_the_run() -> None:
    steps = steps_of([], options(rooms=3, seconds=3_600))
    tracemalloc.start()
    try:
        used = []
        for number, _ in enumerate(steps):
            if number in {20_000, 60_000}:
                used.append(tracemalloc.get_traced_memory()[0])
            if number == 60_000:
                break
    finally:
        tracemalloc.stop()
    assert used[1] < used[0] + 200_000
