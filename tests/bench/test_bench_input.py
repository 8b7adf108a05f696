"""The generated input: the same for the same spec, valid to the contract, and exactly as broken as it says."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from bench import input as bench_input
from bench.engineless import RoomInBytes, header_of, stored_events
from bench.input import ARRIVAL_MS, Input, InputSpec, prepared, read_records, turns
from codewave.contract.frame import unframe
from udfs.quarantine import Record

SMALL = InputSpec(events=8_000, rooms=9, partitions=2)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Input:
    return prepared(SMALL, tmp_path_factory.mktemp("inputs"))


def events_of(data: Input) -> list[dict]:
    return [msgspec.json.decode(line) for path in data.events for line in path.read_bytes().splitlines()]


def distinct_events(data: Input) -> list[dict]:
    return list({event["event_id"]: event for event in events_of(data)}.values())


def contents(data: Input) -> list[bytes]:
    return [path.read_bytes() for path in [*data.records, *data.events]]


def test_the_same_spec_gives_the_same_bytes_and_another_seed_gives_others(small: Input, tmp_path: Path):
    assert contents(prepared(SMALL, tmp_path)) == contents(small)
    assert contents(prepared(msgspec.structs.replace(SMALL, seed=8), tmp_path)) != contents(small)


@pytest.mark.parametrize(
    "spec",
    [
        SMALL,
        InputSpec(events=3_000, rooms=7, events_per_record=1),
        InputSpec(events=20_000, rooms=10, events_per_record=200),
        InputSpec(events=10_000, rooms=20, hot_share=0.2),
        InputSpec(events=5_000, rooms=5, duplicates=0, reorder=0),
    ],
    ids=["records of 50", "records of 1", "records of 200", "a hot room", "a perfect stream"],
)
def test_the_streams_functions_store_each_distinct_event_once_and_find_nothing_else_wrong(spec: InputSpec, tmp_path):
    data = prepared(spec, tmp_path)
    rooms: dict[str, RoomInBytes] = {}
    counts: Counter[str] = Counter()
    for path in data.records:
        for number, record in enumerate(read_records(path)):
            header = header_of(record)
            room = rooms.setdefault(header.room_id, RoomInBytes(header.room_id))
            arrived_at = header.sent_at + ARRIVAL_MS
            rows = room.take(Record(record, "shard", str(number), arrived_at), arrived_at).rows
            counts["rows"] += stored_events(rows)
            counts["gaps"] += len(rows.get("sequence_gaps", ()))
            counts["outcomes"] += len(rows.get("execution_outcomes", ()))
            for field in ("stored", "released", "duplicate", "pending", "quarantined", "late"):
                counts[field] += getattr(rows["record_audit"][0], field)
    assert counts["rows"] == counts["stored"] + counts["released"] == data.distinct
    assert counts["duplicate"] == data.duplicates
    assert counts["pending"] == counts["released"]
    assert (counts["quarantined"], counts["late"], counts["gaps"]) == (0, 0, 0)
    assert counts["outcomes"] == data.by_type["execution.finished"]
    assert bool(counts["pending"]) == bool(spec.reorder)


def test_records_and_event_files_hold_the_same_events_in_the_same_order(small: Input):
    for records, events in zip(small.records, small.events, strict=True):
        framed = [line for record in read_records(records) for line in unframe(record)[1]]
        assert framed == events.read_bytes().splitlines()


def test_its_summary_counts_what_is_in_the_files(small: Input):
    events = events_of(small)
    distinct = {event["event_id"]: event["type"] for event in events}
    assert small.count == len(events) == SMALL.events
    assert small.distinct == len(distinct)
    assert small.by_type == Counter(distinct.values())
    assert small.bytes == sum(len(path.read_bytes().replace(b"\n", b"")) for path in small.events)


def test_a_room_is_in_one_file_only(small: Input):
    rooms = [{header_of(record).room_id for record in read_records(path)} for path in small.records]
    assert not rooms[0] & rooms[1]
    assert len(rooms[0] | rooms[1]) == SMALL.rooms


def test_every_execution_is_queued_started_and_finished_and_prints_in_between(small: Input):
    lives: dict[str, dict[int, str]] = {}
    for event in events_of(small):
        if event["type"].startswith("execution."):
            lives.setdefault(event["ordering_key"], {})[event["sequence"]] = event["type"].removeprefix("execution.")
    assert lives
    for life in lives.values():
        kinds = [life[number] for number in range(1, len(life) + 1)]
        assert (kinds[:2], kinds[-1]) == (["queued", "started"], "finished")
        assert set(kinds[2:-1]) == {"output"}


def test_its_shares_and_sizes_are_those_asked_for(tmp_path: Path):
    data = prepared(InputSpec(events=40_000, rooms=20), tmp_path)
    seen: dict[str, int] = {}
    reordered = 0
    for event in events_of(data):
        key, sequence = event["ordering_key"], event["sequence"]
        reordered += sequence > seen.get(key, 0) + 1
        seen[key] = max(sequence, seen.get(key, 0))
    assert data.duplicates / data.count == pytest.approx(0.02, rel=0.15)
    assert reordered / data.count == pytest.approx(0.01, rel=0.15)
    assert data.bytes / data.count == pytest.approx(950, rel=0.03)
    shares = Counter({kind.partition(".")[0]: 0.0 for kind in data.by_type})
    for kind, count in data.by_type.items():
        shares[kind.partition(".")[0]] += count / data.distinct
    assert shares == pytest.approx({"document": 0.6, "cursor": 0.25, "chat": 0.05, "execution": 0.1}, abs=0.03)


def test_hardly_a_text_comes_twice(small: Input):
    texts = [event["payload"]["text"] for event in distinct_events(small) if event["type"] == "chat.posted"]
    assert len(texts) > 300
    assert len(set(texts)) == len(texts)


def test_a_hot_room_has_its_share_of_the_turns_evenly_spread():
    order = turns(InputSpec(events=1, rooms=200, hot_share=0.2))
    places = [place for place, room in enumerate(order) if room == 0]
    assert len(places) / len(order) == pytest.approx(0.2, abs=0.005)
    assert set(order) == set(range(200))
    assert {later - earlier for earlier, later in pairwise(places)} <= {4, 5, 6}


def test_an_input_is_generated_once_and_again_only_where_it_was_cut_short(tmp_path: Path, monkeypatch):
    spec = InputSpec(events=500, rooms=5)
    first = prepared(spec, tmp_path)
    before = contents(first)
    with monkeypatch.context() as patched:
        patched.setattr(bench_input, "_generate", lambda *_: pytest.fail("generated again"))
        assert prepared(spec, tmp_path) == first
    (first.folder / "summary.json").unlink()
    first.records[0].write_bytes(b"half")
    assert contents(prepared(spec, tmp_path)) == before


def test_an_input_may_be_records_alone(tmp_path: Path):
    both, alone = (prepared(InputSpec(events=500, rooms=5, lines=lines), tmp_path) for lines in (True, False))
    assert alone.events == []
    assert sorted(path.name for path in alone.folder.iterdir()) == ["0.records", "summary.json"]
    assert alone.records[0].read_bytes() == both.records[0].read_bytes()
    assert (alone.distinct, alone.duplicates, alone.bytes) == (both.distinct, both.duplicates, both.bytes)
