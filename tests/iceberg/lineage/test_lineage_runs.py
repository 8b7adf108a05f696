"""Runs tell of themselves in OpenLineage events, and what happens to the events never stops the work."""

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
import pytest
from botocore.stub import ANY, Stubber
from example_lake import NAMESPACE, ExampleLake
from example_rooms import small_room
from openlineage.client.event_v2 import RunEvent

from codewave.errors import CodewaveError
from codewave.local.namespace import Namespace
from iceberg import lineage
from iceberg.definition import read_definitions
from iceberg.lake import Lake
from iceberg.lineage.events import Facts, Run, run_event
from iceberg.lineage.graph import Dataset
from iceberg.lineage.naming import Naming, naming_of
from iceberg.lineage.runs import tell_stream_job
from iceberg.lineage.stream_job import stream_job
from iceberg.lineage.transports import (
    DATAZONE_BYTES,
    DOMAIN_PROPERTY,
    EVENTS_FILE,
    DataZone,
    LineageFile,
    transport_for,
)

DAY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    example = ExampleLake(tmp_path)
    example.take(*small_room())
    return Lake(example.catalog, Namespace(NAMESPACE), example.engine(), tmp_path / "state", tuple(read_definitions()))


class Stopped:
    """A transport that cannot deliver."""

    def emit(self, event: RunEvent) -> None:
        raise OSError(f"no way out for {event.eventType}")


def told(lake: Lake) -> list[dict[str, Any]]:
    lines = (lake.state / EVENTS_FILE).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def a_run(kind: Any = "BATCH") -> Run:
    return Run(id="0198c0de-0000-7000-8000-000000000001", job=stream_job("raw,lake,search"), kind=kind)


def event() -> RunEvent:
    return run_event(a_run(), "COMPLETE", DAY, Naming(Namespace(NAMESPACE)), Facts(definitions={}))


def test_a_run_tells_its_start_and_its_end_with_what_it_reads_and_writes(lake: Lake) -> None:
    with lineage.run(lake, "derive executions", outputs=["executions"]):
        assert [one["eventType"] for one in told(lake)] == ["START"]
    start, complete = told(lake)
    assert complete["eventType"] == "COMPLETE"
    assert start["run"]["runId"] == complete["run"]["runId"]
    assert complete["job"]["name"] == "rooms.derive executions"
    assert "table/rooms/execution_outcomes" in [one["name"] for one in complete["inputs"]]
    assert [one["name"] for one in complete["outputs"]] == ["table/rooms/executions"]


def test_the_output_says_which_column_comes_from_which(lake: Lake) -> None:
    with lineage.run(lake, "derive executions", outputs=["executions"]):
        pass
    facet = told(lake)[-1]["outputs"][0]["facets"]["columnLineage"]["fields"]["room_id"]
    sources = [(one["name"], one["field"], one["transformations"][0]["subtype"]) for one in facet["inputFields"]]
    assert sources == [("table/rooms/execution_outcomes", "room_id", "IDENTITY")]


def test_inputs_say_which_snapshot_was_there_and_which_columns_they_have(lake: Lake) -> None:
    with lineage.run(lake, "look", inputs=["execution_outcomes"]):
        pass
    facets = told(lake)[0]["inputs"][0]["facets"]
    snapshot = lake.load("execution_outcomes").current_snapshot()
    assert snapshot is not None
    assert facets["version"]["datasetVersion"] == str(snapshot.snapshot_id)
    assert "finished_at" in [one["name"] for one in facets["schema"]["fields"]]


def test_a_run_about_an_interval_that_a_dag_started_says_both(lake: Lake) -> None:
    parent = ("0198c0de-0000-7000-8000-0000000000aa", "derive_executions")
    with lineage.run(lake, "look", interval=(DAY, DAY + timedelta(days=1)), parent=parent):
        pass
    facets = told(lake)[0]["run"]["facets"]
    assert facets["nominalTime"]["nominalStartTime"] == "2026-01-01T00:00:00+00:00"
    assert facets["parent"]["run"]["runId"] == parent[0]


def test_a_run_that_fails_says_why_and_the_failure_goes_on(lake: Lake) -> None:
    with pytest.raises(CodewaveError, match="broken"), lineage.run(lake, "break"):
        raise CodewaveError("broken")
    last = told(lake)[-1]
    assert last["eventType"] == "FAIL"
    assert last["run"]["facets"]["errorMessage"]["message"] == "CodewaveError: broken"


def test_a_run_that_is_interrupted_is_told_as_aborted(lake: Lake) -> None:
    with pytest.raises(KeyboardInterrupt), lineage.run(lake, "wait"):
        raise KeyboardInterrupt
    assert told(lake)[-1]["eventType"] == "ABORT"


def test_events_that_cannot_be_delivered_stop_nothing_and_are_warned_of(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    done = False
    with caplog.at_level(logging.WARNING), lineage.run(lake, "work", transport=Stopped()):
        done = True
    assert done
    assert [record.message.split(";")[0] for record in caplog.records] == ["lineage: an event was not delivered"] * 2


def test_a_table_that_does_not_exist_yet_stops_no_event(lake: Lake) -> None:
    lake.catalog.drop_table("rooms.executions")
    with lineage.run(lake, "derive executions", outputs=["executions"]):
        pass
    assert [one["eventType"] for one in told(lake)] == ["START", "COMPLETE"]


def write_many(path: Path) -> int:
    transport, large = LineageFile(path), event()
    for _ in range(10):
        transport.emit(large)
    return 10


def test_events_of_several_processes_stay_whole_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with ProcessPoolExecutor(2) as processes:
        written = sum(processes.map(write_many, [path, path]))
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len([json.loads(line) for line in lines]) == written == 20


def test_the_flink_job_tells_its_start_and_stop_as_one_run(tmp_path: Path) -> None:
    flink_id = "0123456789abcdef0123456789abcdef"
    for what in ("START", "COMPLETE"):
        tell_stream_job(tmp_path, Namespace("rooms"), "raw,lake", flink_id, what)  # type: ignore[arg-type]
    lines = (tmp_path / EVENTS_FILE).read_text(encoding="utf-8").splitlines()
    start, complete = (json.loads(line) for line in lines)
    assert start["run"]["runId"] == complete["run"]["runId"] == str(UUID(hex=flink_id))
    assert start["job"]["facets"]["jobType"]["processingType"] == "STREAMING"
    assert [one["name"] for one in start["inputs"]] == ["stream/codewave-rooms"]
    assert {"table/rooms/raw_records", "table/rooms/execution_outcomes"} <= {one["name"] for one in start["outputs"]}


def test_on_aws_tables_and_streams_have_the_names_that_glue_and_kinesis_give_them() -> None:
    naming = naming_of(Namespace("rooms"), {"type": "glue", "glue.region": "eu-west-1", "glue.id": "123456789012"})
    assert naming.dataset(Dataset("executions", "table")) == (
        "arn:aws:glue:eu-west-1:123456789012",
        "table/rooms/executions",
    )
    assert naming.dataset(Dataset("records", "stream"))[1] == "stream/codewave-rooms"


@pytest.fixture
def datazone() -> Iterator[tuple[Any, Stubber]]:
    client = boto3.client("datazone", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        yield client, stub


def test_on_aws_events_are_posted_to_the_domain_and_a_repeated_one_is_known(datazone: tuple[Any, Stubber]) -> None:
    client, stub = datazone
    expected = {
        "domainIdentifier": "dzd_abc123",
        "event": ANY,
        "clientToken": "0198c0de-0000-7000-8000-000000000001-COMPLETE",
    }
    for _ in range(2):
        stub.add_response("post_lineage_event", {}, expected)
        DataZone("dzd_abc123", client).emit(event())
    stub.assert_no_pending_responses()


def test_the_catalogs_property_decides_where_events_go(tmp_path: Path) -> None:
    assert isinstance(transport_for(tmp_path, {DOMAIN_PROPERTY: "dzd_abc123"}), DataZone)
    assert isinstance(transport_for(tmp_path, {}), LineageFile)


def test_the_largest_event_fits_into_what_datazone_takes() -> None:
    from openlineage.client.serde import Serde

    definitions = {one.name: one for one in read_definitions()}
    facts = Facts(definitions=definitions, versions=dict.fromkeys(definitions, "9" * 19))
    largest = run_event(a_run(), "COMPLETE", DAY, Naming(Namespace("rooms"), "eu-central-1", "1" * 12), facts)
    assert len(Serde.to_json(largest).encode()) < DATAZONE_BYTES
