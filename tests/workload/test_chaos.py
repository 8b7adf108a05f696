"""Chaos: its notation, and what it does to a stream."""

from collections import Counter

import pytest
from recording_sink import START_MS, HandClock, RecordingSink, options

from codewave.errors import WrongUseError
from codewave.workload.chaos import HOLD_MS, REORDER_PLACES, Chaos, Disturber, parse_chaos
from codewave.workload.player import Player
from codewave.workload.truth import Truth

ALL = "duplicate=0.05 reorder=0.05 drop=0.02 malformed=0.03 oversized=0.02 corrupt=0.02"


def played(chaos: str, **changes: object) -> tuple[RecordingSink, Truth]:
    sink = RecordingSink()
    truth = Player([], options(chaos, **changes), sink, HandClock()).play()
    return sink, truth


def disturber(clock: HandClock, **chaos: float) -> Disturber:
    return Disturber(Chaos(**chaos), "seed", event_bytes=4096, clock_ms=lambda: clock.elapsed() * 1000)


def test_chaos_is_read_from_names_and_probabilities() -> None:
    assert parse_chaos("duplicate=0.05  drop=1 corrupt=0") == Chaos(duplicate=0.05, drop=1, corrupt=0)


def test_no_chaos_is_no_faults() -> None:
    assert parse_chaos("") == Chaos()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("explode=0.1", "unknown fault"),
        ("drop", "give each fault once"),
        ("drop=0.1 drop=0.2", "give each fault once"),
        ("drop=1.5", "from 0 to 1"),
        ("drop=-0.1", "from 0 to 1"),
        ("drop=nan", "from 0 to 1"),
        ("drop=often", "from 0 to 1"),
        ("drop=", "from 0 to 1"),
    ],
)
def test_wrong_chaos_is_refused_with_its_word(text: str, complaint: str) -> None:
    with pytest.raises(WrongUseError, match=complaint) as caught:
        parse_chaos(text)
    assert text.rsplit(maxsplit=1)[-1] in str(caught.value)


def test_duplicates_are_the_same_bytes_again_and_counted() -> None:
    sink, truth = played("duplicate=0.1")
    times_sent = Counter(data for _, data in sink.taken)
    assert truth.injected.duplicate == sum(count - 1 for count in times_sent.values()) > 20
    assert len(times_sent) == truth.events


def test_dropped_events_are_left_out_and_counted() -> None:
    calm, _ = played("")
    sink, truth = played("drop=0.1")
    assert truth.injected.drop == len(calm.taken) - len(sink.taken) > 20
    assert truth.events == len(sink.taken)


def test_reordered_events_all_arrive_and_those_overtaken_are_counted() -> None:
    sink, truth = played("reorder=0.1")
    arrived: dict[str, list[str]] = {}
    for event in sink.valid_events():
        arrived.setdefault(event.room_id, []).append(event.event_id)
    ordered: dict[str, list[str]] = {}
    for event in played("")[0].valid_events():
        ordered.setdefault(event.room_id, []).append(event.event_id)
    overtaken = 0
    for room, ids in arrived.items():
        assert sorted(ids) == sorted(ordered[room])
        places = [ordered[room].index(event_id) for event_id in ids]
        overtaken += sum(place < max(places[: index + 1]) for index, place in enumerate(places))
        assert all(place > index - REORDER_PLACES - 1 for index, place in enumerate(places))
    assert truth.injected.reorder == overtaken > 20


def test_an_event_is_held_back_no_longer_than_the_limit() -> None:
    clock = HandClock()
    chaos = disturber(clock, reorder=1)
    assert list(chaos.take("room", b"first", START_MS)) == []
    clock.sleep(HOLD_MS / 1000 - 0.01)
    assert list(chaos.overdue()) == []
    clock.sleep(0.02)
    assert [item.data for item in chaos.overdue()] == [b"first"]


def test_an_event_that_nothing_overtook_was_not_reordered() -> None:
    chaos = disturber(HandClock(), reorder=1)
    list(chaos.take("room", b"only", START_MS))
    assert [item.data for item in chaos.rest()] == [b"only"]
    assert chaos.injected.reorder == 0


def test_events_of_other_rooms_do_not_overtake() -> None:
    chaos = disturber(HandClock(), reorder=1)
    for number in range(100):
        list(chaos.take(f"room-{number}", b"x", START_MS))
    assert len(list(chaos.rest())) == 100
    assert chaos.injected.reorder == 0


def test_faults_on_top_leave_every_real_event_as_it_was() -> None:
    sink, truth = played("malformed=0.1 oversized=0.1 corrupt=0.1")
    calm, calm_truth = played("")
    real = {data for _, data in calm.taken}
    assert [data for _, data in sink.taken if data in real] == [data for _, data in calm.taken]
    assert truth.events == calm_truth.events
    assert len(sink.taken) - len(real) == truth.injected.malformed + truth.injected.oversized
    assert len(sink.records) == truth.injected.corrupt


def test_the_same_seed_makes_the_same_faults() -> None:
    first, second = played(ALL), played(ALL)
    assert first[0].taken == second[0].taken
    assert first[0].records == second[0].records
    assert first[1] == second[1]


def test_one_fault_does_not_depend_on_the_others() -> None:
    assert played("drop=0.05")[1].injected.drop == played(ALL.replace("drop=0.02", "drop=0.05"))[1].injected.drop


def test_what_waits_is_bounded_however_many_events_are_held_back() -> None:
    clock = HandClock()
    chaos = disturber(clock, reorder=1, duplicate=1)
    for number in range(2_000):
        list(chaos.take("room", b"%d" % number, START_MS))
        list(chaos.overdue())
    assert len(list(chaos.rest())) < 150
