"""A bug of ours that a few events hit: they are set aside and told, all others are stored, and the job goes on."""

import time
from pathlib import Path
from typing import Any

import example_rooms as rooms
import pytest
from poisoned_code import FAILURE, POISON, poison_code
from system_waiting import wait_until

from codewave.contract.events import Event
from codewave.contract.frame import Header, frame
from codewave.lake.reconcile import Reconciliation, reconcile
from codewave.local.flink_rest import FlinkRest
from codewave.local.job_status import JobStatus, job_status
from codewave.local.jobs import resume_job, start_job, stop_job
from codewave.local.kinesis import kinesis_client
from codewave.local.namespace import Namespace
from codewave.local.opensearch import search_client
from codewave.local.settings import LocalSettings
from flink_jobs.room_events.metrics import GROUP, NAMES, PROCESS_DELAY
from iceberg.engine import local_engine

pytestmark = pytest.mark.system

ADA, GRACE = rooms.Writer("ada", "tab-poison"), rooms.Writer("grace", "tab-waits")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def message(sequence: int, text: str = "Hello", by: rooms.Writer = ADA) -> Event:
    at = now_ms()
    return rooms.chat(sequence, text, by=by, at=at, received_at=at)


def send(settings: LocalSettings, namespace: Namespace, *events: Event) -> None:
    """Send one record."""
    header = Header(1, rooms.ROOM, len(events), "zstd", f"poison-{time.time_ns()}", 1, now_ms())
    data = frame(header, [rooms.encode(event) for event in events])
    kinesis_client(settings).put_record(StreamName=namespace.stream, PartitionKey=rooms.ROOM, Data=data)


def query(settings: LocalSettings, namespace: Namespace, sql: str) -> list[list[Any]]:
    return local_engine(settings, namespace.name).query(sql).rows


def wait_for(settings: LocalSettings, namespace: Namespace, received: int) -> Reconciliation:
    """Wait until so many events are accounted for, in the lake and in the indices; returns the account."""
    seen: list[Reconciliation] = []

    def accounted_for() -> bool:
        seen.append(reconcile(settings, namespace.name))
        last = seen[-1]
        return last.received == received and last.closes and bool(last.search_closes)

    wait_until(accounted_for, f"{received} events are received and the counts close")
    return seen[-1]


def status(settings: LocalSettings, namespace: Namespace) -> JobStatus:
    return job_status(settings, namespace)[0]


def operator_metrics(settings: LocalSettings, namespace: Namespace) -> dict[str, float]:
    """The operator's metrics of ours that the running job exports, summed over its subtasks."""
    rest, job_id = FlinkRest(settings.flink_url), status(settings, namespace).id
    vertex = next(one for one in rest.job(job_id)["vertices"] if "room-events" in one["name"])
    ours = f"room-events.{GROUP}."
    found = rest.vertex_metrics(job_id, vertex["id"], lambda name: name.startswith(ours))
    return {name.removeprefix(ours): sum(values) for name, values in found.items()}


def chat_of(settings: LocalSettings, namespace: Namespace, writer: rooms.Writer) -> list[list[Any]]:
    sql = f"SELECT sequence, late FROM chat_messages WHERE session_id = '{writer.session_id}' ORDER BY sequence"
    return query(settings, namespace, sql)


def test_events_that_break_the_code_are_quarantined_and_stored_by_their_redrive_after_the_fix(
    shared_stack: LocalSettings, fresh_namespace: Namespace, tmp_path: Path
) -> None:
    start_job(shared_stack, fresh_namespace, parallelism=1, root=poison_code(tmp_path))
    poison, waits = message(2, f"a {POISON} b"), message(2, POISON, GRACE)
    send(shared_stack, fresh_namespace, message(1), poison, message(3))
    send(shared_stack, fresh_namespace, message(4))
    send(shared_stack, fresh_namespace, waits, message(3, by=GRACE))
    send(shared_stack, fresh_namespace, message(1, by=GRACE))

    result = wait_for(shared_stack, fresh_namespace, received=7)
    assert (result.stored, result.quarantined, result.pending) == (5, {"operator_failed": 2}, 0)
    assert chat_of(shared_stack, fresh_namespace, ADA) == [[1, False], [3, False], [4, False]]
    assert chat_of(shared_stack, fresh_namespace, GRACE) == [[1, False], [3, False]]
    assert_quarantined(shared_stack, fresh_namespace, poison, waits)
    assert_seen_by_metrics(shared_stack, fresh_namespace)

    stop_job(shared_stack, fresh_namespace)
    resume_job(shared_stack, fresh_namespace, parallelism=1)
    send(shared_stack, fresh_namespace, poison, waits)
    result = wait_for(shared_stack, fresh_namespace, received=9)
    assert result.stored == 7
    assert chat_of(shared_stack, fresh_namespace, ADA)[1] == [2, True]
    assert chat_of(shared_stack, fresh_namespace, GRACE)[1] == [2, True]


def assert_quarantined(settings: LocalSettings, namespace: Namespace, *events: Event) -> None:
    """Whole, with the reason and what broke, in the table and in the index."""
    sql = "SELECT event_id, body, path, message FROM quarantined_events WHERE reason = 'operator_failed'"
    rows = {row[0]: row[1:] for row in query(settings, namespace, sql)}
    answer = search_client(settings).search(index=f"{namespace.index_prefix}quarantine-2*", body={"size": 10})
    found = {hit["_source"]["event_id"]: hit["_source"] for hit in answer["hits"]["hits"]}
    for event in events:
        body, path, told = rows[event.event_id]
        assert (body.encode(), path) == (rooms.encode(event), "$")
        assert told.startswith(f"ValueError: {FAILURE}\n  at udfs/route.py:")
        indexed = found[event.event_id]
        assert (indexed["body"], indexed["reason"], indexed["message"]) == (body, "operator_failed", told)


def assert_seen_by_metrics(settings: LocalSettings, namespace: Namespace) -> None:
    """Nothing restarted; every metric of ours is exported and counts."""
    wait_until(lambda: status(settings, namespace).isolated == 2, "the status counts what was isolated")
    now = status(settings, namespace)
    assert (now.state, now.restarts, now.last_failure) == ("RUNNING", 0, None)
    assert now.behind_ms is not None
    assert now.delay_median_ms is not None
    assert now.state_bytes
    metrics = operator_metrics(settings, namespace)
    assert {name.removesuffix("_p99") if name.startswith(f"{PROCESS_DELAY}_") else name for name in metrics} >= set(
        NAMES
    )
    counted = {name: metrics[name] for name in ("eventsReceived", "eventsStored", "eventsReleased", "stepFailures")}
    assert counted == {"eventsReceived": 7, "eventsStored": 4, "eventsReleased": 1, "stepFailures": 6}
    assert (metrics["quarantined_operator_failed"], metrics["eventsQuarantined"], metrics["eventsPending"]) == (2, 2, 1)


def test_a_release_that_breaks_on_more_than_may_be_isolated_stops_with_the_cause(
    shared_stack: LocalSettings, fresh_namespace: Namespace, tmp_path: Path
) -> None:
    overrides = {"isolate_at_most": "1"}
    start_job(shared_stack, fresh_namespace, "lake", parallelism=1, overrides=overrides, root=poison_code(tmp_path))
    send(shared_stack, fresh_namespace, message(1, POISON), message(2, POISON), message(3))

    wait_until(lambda: status(shared_stack, fresh_namespace).last_failure is not None, "the job fails")
    wait_until(lambda: status(shared_stack, fresh_namespace).restarts > 1, "it fails again after its restart")
    now = status(shared_stack, fresh_namespace)
    assert now.state in {"RESTARTING", "RUNNING"}
    for word in ("TooMuchToIsolateError", "isolate_at_most=1", "isolate_window_ms", FAILURE):
        assert word in str(now.last_failure)
    assert query(shared_stack, fresh_namespace, "SELECT * FROM quarantined_events") == []
