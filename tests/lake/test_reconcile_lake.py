"""Counts close when all is well, and what does not close is named."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from example_lake import ExampleLake
from example_rooms import EXECUTION, START_MS, chat, cursor, edit, joined, output, small_room, typed

from codewave.lake.reconcile import reconcile_lake
from codewave.lake.sent import compare_with_truth
from codewave.workload.chaos import Injected
from codewave.workload.steps import Step
from codewave.workload.truth import Truth, TruthCounter
from udfs.rows import ChatMessageRow


def truth_of(*events: object) -> Truth:
    counter = TruthCounter()
    for event in events:
        counter.sent(Step(0, 0, event, "text"))  # type: ignore[arg-type]
    return counter.result([], Injected(), {}, seed=1, start_ms=START_MS, interrupted=False)


@pytest.fixture
def lake(tmp_path: Path) -> ExampleLake:
    return ExampleLake(tmp_path)


def test_an_empty_lake_closes(lake: ExampleLake) -> None:
    result = reconcile_lake(lake.engine())
    assert (result.closes, result.received, result.rows) == (True, 0, [])


def test_stored_duplicate_quarantined_and_pending_events_all_count(lake: ExampleLake) -> None:
    events = small_room()
    lake.take(*events)
    lake.take(*events[:3])
    lake.take_bytes(b"not a record")
    lake.take(joined(9))
    result = reconcile_lake(lake.engine(), truth_of(*events))
    assert result.problems == []
    assert (result.closes, result.difference, result.truth_matches) == (True, 0, True)
    assert (result.stored, result.duplicate, result.pending) == (len(events), 3, 1)
    assert result.quarantined == {"not_json": 1}
    assert result.received == len(events) + 5


def test_an_event_released_after_waiting_is_stored_and_no_longer_pending(lake: ExampleLake) -> None:
    lake.take(edit(2))
    assert reconcile_lake(lake.engine()).pending == 1
    lake.take(edit(1))
    result = reconcile_lake(lake.engine())
    assert (result.closes, result.pending, result.stored) == (True, 0, 2)


def test_a_row_that_the_audit_does_not_know_is_named(lake: ExampleLake) -> None:
    lake.take(chat(1))
    lake.append("chat_messages", stray_message())
    result = reconcile_lake(lake.engine())
    assert (result.closes, result.difference) == (False, 1)
    assert result.problems == ["chat.posted 2026-01-01T00: 1 stored by the audit, 2 in the tables"]


def test_an_event_stored_twice_is_named(lake: ExampleLake) -> None:
    lake.append("chat_messages", stray_message(), stray_message())
    problems = reconcile_lake(lake.engine()).problems
    assert "chat.posted 2026-01-01T00: 2 rows, 1 distinct events" in problems


def test_hours_before_since_are_left_out(lake: ExampleLake) -> None:
    lake.take(chat(1, received_at=START_MS - 2 * 3_600_000), chat(2))
    since = datetime.fromtimestamp(START_MS / 1000, tz=UTC) - timedelta(hours=1)
    result = reconcile_lake(lake.engine(), since=since)
    assert (result.closes, result.received, result.stored) == (True, 1, 1)


def test_what_the_truth_names_and_the_lake_lacks_is_named_by_its_key(lake: ExampleLake) -> None:
    sent = [*typed("ab"), cursor(1), output(1)]
    lake.take(*sent[:1], *sent[2:])
    result = reconcile_lake(lake.engine(), truth_of(*sent))
    assert (result.closes, result.difference, result.truth_matches) == (False, 1, False)
    assert result.problems == [
        "3 received of 4 sent",
        "document:main-py: 2 events up to 2 sent, 1 events up to 1 stored",
    ]


def test_refusals_that_the_truth_expects_must_be_there() -> None:
    truth = truth_of()
    truth.quarantined = {"too_large": 2}
    assert compare_with_truth(truth, 2, {"too_large": 1}, {}) == (1, ["1 refused as too_large of 2 sent"])


def test_other_workloads_in_the_lake_do_not_matter_to_a_truth() -> None:
    truth = truth_of(output(1))
    stored = {f"execution:{EXECUTION}": (1, 1), "document:another": (7, 7)}
    assert compare_with_truth(truth, 8, {"not_json": 3}, stored) == (0, [])


def stray_message() -> ChatMessageRow:
    event = chat(5)
    return ChatMessageRow(
        event_id=event.event_id,
        type="chat.posted",
        version=1,
        room_id=event.room_id,
        session_id=event.session_id,
        user_id=event.user_id,
        ordering_key=event.ordering_key,
        sequence=event.sequence,
        occurred_at=event.occurred_at,
        received_at=START_MS,
        late=False,
        clock_skew=False,
        text="stray",
        reply_to=None,
    )
