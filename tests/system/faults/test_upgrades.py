"""The job is saved, its code changes, and it goes on from what was saved: with a new event type and a new field."""

import time
from pathlib import Path
from typing import Any

import example_rooms as rooms
import msgspec
import pytest
from changed_code import NEW_TYPE, change_code
from system_proof import assert_stored_exactly, options, trace
from system_waiting import wait_until

from codewave.contract.frame import Header, frame
from codewave.faults.load import Load
from codewave.faults.sent import sent_together
from codewave.local.jobs import recorded_jobs, resume_job, start_job, stop_job
from codewave.local.kinesis import kinesis_client
from codewave.local.namespace import Namespace
from codewave.local.settings import PROJECT_ROOT, LocalSettings
from codewave.workload.chaos import Injected
from codewave.workload.truth import Truth
from iceberg.engine import local_engine

pytestmark = pytest.mark.system

WRITER = rooms.Writer("ada", "tab-reacts")
KEY = f"session:{WRITER.session_id}"


def reaction(sequence: int) -> bytes:
    """An event of the type that only the changed code knows."""
    event: dict[str, Any] = msgspec.json.decode(rooms.encode(rooms.chat(sequence, by=WRITER, at=now_ms())))
    return msgspec.json.encode(event | {"type": NEW_TYPE, "payload": {"emoji": "+1"}})


def message(sequence: int) -> bytes:
    return rooms.encode(rooms.chat(sequence, by=WRITER, at=now_ms()))


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def send(settings: LocalSettings, namespace: Namespace, *events: bytes) -> None:
    header = Header(1, rooms.ROOM, len(events), "zstd", f"reactions-{now_ms()}", 1, now_ms())
    data = frame(header, list(events))
    kinesis_client(settings).put_record(StreamName=namespace.stream, PartitionKey=rooms.ROOM, Data=data)


def reactions(settings: LocalSettings, namespace: Namespace) -> list[tuple[int, str]]:
    """Sequence and detail of the stored events of the new type."""
    sql = f"SELECT sequence, detail FROM presence_events WHERE type = '{NEW_TYPE}' ORDER BY sequence"
    return [(row[0], row[1]) for row in local_engine(settings, namespace.name).query(sql).rows]


def refused(settings: LocalSettings, namespace: Namespace) -> int:
    sql = f"SELECT count(*) FROM quarantined_events WHERE reason = 'unknown_type' AND ordering_key = '{KEY}'"
    return int(local_engine(settings, namespace.name).query(sql).rows[0][0])


def sent_by_hand() -> Truth:
    """What the test sends beside the load: two messages and four reactions, of which two come too early or too late."""
    return Truth(
        events=4,
        by_type={"chat.posted": 2, NEW_TYPE: 2},
        ordering_keys=1,
        executions=0,
        traces=[],
        injected=Injected(),
        received=6,
        quarantined={"unknown_type": 2},
        finished={},
        cpu_ms=0,
        wall_ms=0,
        documents=[],
        documents_unverifiable=[],
        keys={KEY: (4, 5)},
        keys_left_out=0,
        seed=0,
        start_ms=0,
        interrupted=False,
    )


def test_the_job_goes_on_with_changed_code_and_state_and_back_again(
    shared_stack: LocalSettings, fresh_namespace: Namespace, tmp_path: Path
) -> None:
    settings, namespace = shared_stack, fresh_namespace
    start_job(settings, namespace, parallelism=2)
    # Long enough for any machine: it is stopped when everything has been seen.
    load = Load(settings, namespace, options(rate=300, seconds=13_500), trace())
    load.wait_for_share(0.001)

    send(settings, namespace, message(1), reaction(2))
    wait_until(lambda: refused(settings, namespace) == 1, "the new type is quarantined, as nobody knows it yet")

    for root in (change_code(tmp_path), PROJECT_ROOT):
        stop_job(settings, namespace)
        resume_job(settings, namespace, parallelism=2, root=root)
        if root != PROJECT_ROOT:
            send(settings, namespace, reaction(3), reaction(4))
            wait_until(lambda: len(reactions(settings, namespace)) == 2, "events of the new type are stored")

    send(settings, namespace, message(5), reaction(6))
    wait_until(lambda: refused(settings, namespace) == 2, "the old code refuses the new type again")
    assert load.running
    load.stop()
    truth = sent_together([load.finish(), sent_by_hand()])

    # The key was there before the field that numbers its reactions.
    assert reactions(settings, namespace) == [(3, "+1 1"), (4, "+1 2")]
    assert_stored_exactly(settings, namespace, truth)
    assert recorded_jobs(settings, namespace)[0].restored_from is not None
