"""A record that was lost between its collector and the stream is seen by its number."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from example_lake import ExampleLake
from example_rooms import ROOM, START_MS, Writer, chat, encode

from codewave.contract.frame import Header, frame
from codewave.lake.batches import MissingBatches, missing_in_words
from codewave.lake.reconcile import Reconciliation, reconcile_lake

HOUR_MS = 3_600_000


@pytest.fixture
def lake(tmp_path: Path) -> ExampleLake:
    return ExampleLake(tmp_path)


def send(lake: ExampleLake, *batches: int, collector: str = "one", hours: int = 0) -> None:
    """One record for each batch number, with a session of its own."""
    for batch in batches:
        at = START_MS + hours * HOUR_MS
        event = chat(1, by=Writer("ada", f"tab-{collector}-{batch}"), at=at)
        lake.take_bytes(frame(Header(1, ROOM, 1, "zstd", collector, batch, at), [encode(event)]))


def missing(result: Reconciliation) -> list[tuple[str, int, int]]:
    assert not result.closes
    return [(found.collector, found.first, found.last) for found in result.batches_missing]


def test_contiguous_batches_of_each_collector_are_complete_in_any_order(lake: ExampleLake) -> None:
    send(lake, 1, 3, 2)
    send(lake, 1, 2, collector="two")
    result = reconcile_lake(lake.engine())
    assert (result.closes, result.records_missing, result.problems) == (True, 0, [])


def test_each_missing_batch_is_a_lost_record_and_named(lake: ExampleLake) -> None:
    send(lake, 1, 3, 6)
    send(lake, 1, collector="three")
    send(lake, 3, collector="two")
    result = reconcile_lake(lake.engine())
    assert missing(result) == [("one", 2, 2), ("one", 4, 5), ("two", 1, 2)]
    assert (result.records_missing, result.difference) == (5, 5)
    assert result.problems == [
        "collector one: 3 records missing, batches 2, 4-5",
        "collector two: 2 records missing, batches 1-2",
    ]


def test_a_record_that_came_twice_is_not_missing_and_its_events_are_duplicates(lake: ExampleLake) -> None:
    send(lake, 1, 2, 2, 3)
    result = reconcile_lake(lake.engine())
    assert (result.closes, result.records_missing, result.duplicate) == (True, 0, 1)


def test_with_since_only_holes_between_those_seen_count(lake: ExampleLake) -> None:
    send(lake, 1, 2, hours=-2)
    send(lake, 4, 6)
    assert missing(reconcile_lake(lake.engine())) == [("one", 3, 3), ("one", 5, 5)]
    since = datetime.fromtimestamp(START_MS / 1000, tz=UTC) - timedelta(hours=1)
    assert missing(reconcile_lake(lake.engine(), since=since)) == [("one", 5, 5)]


def test_a_record_without_a_readable_header_has_no_batch_number(lake: ExampleLake) -> None:
    """Chaos makes such records, with numbers of its own: none is missing for it."""
    send(lake, 1, 2)
    corrupt = frame(Header(1, ROOM, 1, "zstd", "chaos", 17, START_MS), [b"{}"])[:-3]
    lake.take_bytes(corrupt)
    lake.take_bytes(encode(chat(1)))
    assert reconcile_lake(lake.engine()).records_missing == 0


def test_many_holes_are_told_by_the_first_few() -> None:
    holes = [MissingBatches("one", batch, batch) for batch in range(2, 40, 2)]
    ((words, records),) = missing_in_words(holes).items()
    assert words == "collector one: 19 records missing, batches 2, 4, 6, 8, 10, …"
    assert records == 19
