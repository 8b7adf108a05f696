"""Everything the contract refuses, through the real job."""

import base64
from collections.abc import Iterator
from typing import Any

import bad_records as bad
import example_rooms as rooms
import pytest
from system_waiting import wait_until

from codewave.local.job_status import job_status
from codewave.local.jobs import cancel_job, start_job
from codewave.local.kinesis import kinesis_client
from codewave.local.namespace import Namespace
from codewave.local.opensearch import search_client
from codewave.local.reset import create_namespace
from codewave.local.settings import LocalSettings
from iceberg.engine import local_engine

pytestmark = pytest.mark.system

NAMESPACE = Namespace("bad_input")
YEARS_MS = 100 * 365 * 86_400_000
REFUSED = [*bad.refused(), bad.conflict()]
SKEWED = rooms.chat(
    1, "from yesterday", by=rooms.Writer("ada", "tab-skew"), at=rooms.START_MS, received_at=rooms.START_MS + 90_000_000
)


@pytest.fixture(scope="module")
def stored(shared_stack: LocalSettings) -> Iterator[LocalSettings]:
    """A stack whose job has taken in every bad record."""
    create_namespace(shared_stack, NAMESPACE)
    # The examples are of a fixed day: without this their times would not be believed.
    start_job(shared_stack, NAMESPACE, parallelism=2, overrides={"delivery_ms": str(YEARS_MS)})
    records = [one.record for one in REFUSED] + [rooms.record([SKEWED]), b"\x00\xffno room here"]
    client = kinesis_client(shared_stack)
    for record in records:
        client.put_record(StreamName=NAMESPACE.stream, PartitionKey=rooms.ROOM, Data=record)
    wait_until(lambda: _count(shared_stack, "record_audit") >= len(records), "every record is audited")
    wait_until(lambda: len(_quarantine_documents(shared_stack)) > len(REFUSED), "the quarantine index has them")
    yield shared_stack
    cancel_job(shared_stack, NAMESPACE)


def _query(settings: LocalSettings, sql: str) -> list[Any]:
    return local_engine(settings, NAMESPACE.name).query(sql).rows


def _count(settings: LocalSettings, table: str) -> int:
    return int(_query(settings, f"SELECT count(*) FROM {table}")[0][0])


def _quarantine_documents(settings: LocalSettings) -> list[dict[str, Any]]:
    answer = search_client(settings).search(
        index=f"{NAMESPACE.index_prefix}quarantine-*", body={"size": 100}, params={"ignore_unavailable": "true"}
    )
    return [hit["_source"] for hit in answer["hits"]["hits"]]


def _body(text: str, encoding: str) -> bytes:
    return base64.b64decode(text) if encoding == "base64" else text.encode()


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.reason)
def test_a_refused_event_lands_whole_in_the_table_with_its_reason_and_path(stored: LocalSettings, case: bad.Refused):
    rows = _query(stored, f"SELECT path, body, body_encoding FROM quarantined_events WHERE reason = '{case.reason}'")
    assert (case.path, case.body) in [(path, _body(body, encoding)) for path, body, encoding in rows]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.reason)
def test_a_refused_event_lands_whole_in_the_index_with_its_reason_and_path(stored: LocalSettings, case: bad.Refused):
    found = [document for document in _quarantine_documents(stored) if document["reason"] == case.reason]
    bodies = [(document["path"], _body(document["body"], document["body_encoding"])) for document in found]
    assert (case.path, case.body) in bodies


def test_the_neighbours_of_refused_events_are_stored(stored: LocalSettings):
    expected = sum(case.neighbours for case in REFUSED) + 1
    assert _count(stored, "chat_messages") == expected


def test_a_record_without_a_room_is_quarantined(stored: LocalSettings):
    assert _query(stored, "SELECT reason, body_bytes FROM quarantined_events WHERE room_id IS NULL") == [
        ["not_utf8", 14]
    ]


def test_a_skewed_clock_is_kept_and_flagged(stored: LocalSettings):
    assert _query(stored, "SELECT text FROM chat_messages WHERE clock_skew") == [["from yesterday"]]


def test_every_record_is_archived_as_it_came(stored: LocalSettings):
    archived = {bytes(row[0]) for row in _query(stored, "SELECT data FROM raw_records")}
    assert {case.record for case in REFUSED} <= archived


def test_bad_input_does_not_restart_the_job(stored: LocalSettings):
    (status,) = job_status(stored, NAMESPACE)
    assert (status.state, status.restarts, status.last_failure) == ("RUNNING", 0, None)
