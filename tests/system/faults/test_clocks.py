"""Clocks that are days off, or say the impossible, through the real job: all is stored, and nothing else changes."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import example_rooms as rooms
import msgspec
import pytest
from system_proof import assert_stored_exactly

from codewave.contract.fields import MAX_INT, MAX_MILLIS
from codewave.contract.frame import Header, frame
from codewave.faults.clocks import DAY_MS, SKEWS, play_skewed
from codewave.faults.load import Load
from codewave.faults.sent import sent_together
from codewave.lake.reconcile import Reconciliation
from codewave.local.job_status import job_status
from codewave.local.jobs import cancel_job, start_job
from codewave.local.kinesis import kinesis_client
from codewave.local.namespace import Namespace
from codewave.local.opensearch import namespace_indices, search_client
from codewave.local.reset import create_namespace
from codewave.local.settings import LocalSettings
from codewave.workload.chaos import Injected
from codewave.workload.options import WorkloadOptions, options_for
from codewave.workload.truth import Truth
from iceberg.engine import local_engine

pytestmark = pytest.mark.system

NAMESPACE = Namespace("clocks")
CHAOS = "duplicate=0.05 reorder=0.05 malformed=0.02"
FAR = [0, -3 * DAY_MS, 3 * DAY_MS, MAX_MILLIS]
"""Times of a clock: from 1970 on where they are not negative, else from now."""
MANY_DAYS = 60
"""So many different days does one sender name."""
IMPOSSIBLE = [-1, MAX_MILLIS + 1, MAX_INT]
GAP_ROOM = "room-gap"


class Stored(msgspec.Struct):
    """What all tests of this module look at."""

    settings: LocalSettings
    result: Reconciliation
    began: date

    def query(self, sql: str) -> list[Any]:
        return local_engine(self.settings, NAMESPACE.name).query(sql).rows


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def send(settings: LocalSettings, lines: list[bytes], sent_at: int, room: str = rooms.ROOM) -> None:
    header = Header(1, room, len(lines), "zstd", f"odd-{time.monotonic_ns()}", 1, sent_at)
    client = kinesis_client(settings)
    client.put_record(StreamName=NAMESPACE.stream, PartitionKey=room, Data=frame(header, lines))


def odd_messages() -> list[list[bytes]]:
    """Per sender the messages of one session: one for every odd time."""
    now = now_ms()
    times = [now + FAR[1], now + FAR[2], FAR[0], FAR[3], *(now + day * DAY_MS for day in range(-MANY_DAYS, 0))]
    liar, laptop = rooms.Writer("eve", "tab-liar"), rooms.Writer("bob", "tab-laptop")
    return [
        [rooms.encode(rooms.chat(n, by=liar, at=at, received_at=at)) for n, at in enumerate(times, 1)],
        [rooms.encode(rooms.chat(n, by=laptop, at=at, received_at=now)) for n, at in enumerate(times, 1)],
    ]


def impossible_messages() -> list[bytes]:
    """Times that no store can hold."""
    event = msgspec.to_builtins(rooms.chat(1, by=rooms.Writer("eve", "tab-impossible")))
    return [
        msgspec.json.encode(event | {field: time_}) for time_ in IMPOSSIBLE for field in ("occurred_at", "received_at")
    ]


def send_gap_among_skewed(settings: LocalSettings) -> None:
    """An honest session leaves a number out while sessions days off go on in the same room, for three seconds."""
    honest = [rooms.edit(n, document="gap-doc", room=GAP_ROOM, at=now_ms()) for n in (1, 3)]
    send(settings, [rooms.encode(event) for event in honest], now_ms(), GAP_ROOM)
    for n in range(1, 7):
        off = DAY_MS * (3 if n % 2 else -3)
        odd = rooms.cursor(n, by=rooms.GRACE, room=GAP_ROOM, at=now_ms() + off)
        send(settings, [rooms.encode(odd)], now_ms() + off, GAP_ROOM)
        time.sleep(0.5)


def sent_by_hand() -> Truth:
    messages = len(FAR) + MANY_DAYS
    return Truth(
        events=2 * messages + 8,
        by_type={"chat.posted": 2 * messages, "document.edited": 2, "cursor.moved": 6},
        ordering_keys=4,
        executions=0,
        traces=[],
        injected=Injected(),
        received=2 * messages + 8 + 2 * len(IMPOSSIBLE),
        quarantined={"schema_violation": 2 * len(IMPOSSIBLE)},
        finished={},
        cpu_ms=0,
        wall_ms=0,
        documents=[],
        documents_unverifiable=[],
        keys={
            "session:tab-liar": (messages, messages),
            "session:tab-laptop": (messages, messages),
            "session:tab-grace": (6, 6),
            "document:gap-doc": (2, 3),
        },
        keys_left_out=0,
        seed=0,
        start_ms=0,
        interrupted=False,
    )


def short_load(salt: str, rooms_: int = 1) -> WorkloadOptions:
    return options_for(traces=0, rooms=rooms_, seconds=60, rate=100, seed=5, chaos=CHAOS, salt=salt)


@pytest.fixture(scope="module")
def stored(shared_stack: LocalSettings) -> Iterator[Stored]:
    """Honest rooms, rooms of every kind of wrong clock, and odd times sent by hand: all stored exactly."""
    settings, began = shared_stack, datetime.now(UTC).date()
    create_namespace(settings, NAMESPACE)
    start_job(settings, NAMESPACE, parallelism=2)
    honest = Load(settings, NAMESPACE, short_load("honest", 2))
    truths = [sent_by_hand()]
    for lines in odd_messages():
        send(settings, lines, now_ms())
    send(settings, impossible_messages(), 0)
    send_gap_among_skewed(settings)
    for number, skew in enumerate(SKEWS):
        truths.append(play_skewed(settings, NAMESPACE, short_load(f"skew{number}"), skew))
    truths.append(honest.finish())
    result = assert_stored_exactly(settings, NAMESPACE, sent_together(truths))
    yield Stored(settings, result, began)
    cancel_job(settings, NAMESPACE)


def test_wrong_clocks_do_not_restart_the_job(stored: Stored):
    (status,) = job_status(stored.settings, NAMESPACE)
    assert (status.state, status.restarts, status.last_failure) == ("RUNNING", 0, None)


def test_events_of_wrong_clocks_are_flagged_and_those_of_right_ones_are_not(stored: Stored):
    sql = "SELECT room_id, count(*), count_if(clock_skew) FROM document_operations GROUP BY room_id"
    counts = {room: (events, flagged) for room, events, flagged in stored.query(sql) if room != GAP_ROOM}
    assert len(counts) == 2 + len(SKEWS)
    assert sorted(flagged in {0, events} for events, flagged in counts.values()) == [True] * len(counts)
    assert sum(flagged == 0 for _, flagged in counts.values()) == 2


def test_what_the_writers_clock_said_is_kept_from_1970_to_9999(stored: Stored):
    sql = "SELECT min(occurred_at), max(occurred_at) FROM chat_messages WHERE session_id = 'tab-liar'"
    ((first, last),) = stored.query(sql)
    assert (first.year, last.year) == (1970, 9999)


def test_one_sender_cannot_make_a_day_that_is_not_about_now(stored: Stored):
    near = {stored.began + timedelta(days=days) for days in (-1, 0, 1)}
    tables = ("chat_messages", "document_operations", "presence_events", "quarantined_events", "record_audit")
    select = "SELECT DISTINCT CAST(received_at AS DATE) FROM"
    assert {row[0] for table in tables for row in stored.query(f"{select} {table}")} <= near
    names = namespace_indices(stored.settings, NAMESPACE.name)
    days = {name[-10:] for name in names if name[-1].isdigit()}
    assert days
    assert days <= {f"{day:%Y.%m.%d}" for day in near}


def test_impossible_times_are_quarantined_with_their_path(stored: Stored):
    sql = "SELECT path, count(*) FROM quarantined_events WHERE body LIKE '%tab-impossible%' GROUP BY path"
    assert dict(stored.query(sql)) == {"$.occurred_at": len(IMPOSSIBLE), "$.received_at": len(IMPOSSIBLE)}


def test_a_gap_among_sessions_days_off_closes_after_its_second(stored: Stored):
    ((first, cause, waited_ms),) = stored.query(
        f"SELECT first_sequence, cause, waited_ms FROM sequence_gaps WHERE room_id = '{GAP_ROOM}'"
    )
    assert (first, cause) == (2, "timeout")
    assert 1_000 <= waited_ms < 10_000


def test_the_search_index_holds_the_odd_times_as_well(stored: Stored):
    body = {"query": {"term": {"session_id": "tab-liar"}}, "size": 100}
    answer = search_client(stored.settings).search(index=f"{NAMESPACE.index_prefix}chat-*", body=body)
    years = {hit["_source"]["occurred_at"][:4] for hit in answer["hits"]["hits"]}
    assert {"1970", "9999"} <= years
