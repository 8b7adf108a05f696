"""Athena by boto3: what is sent, how its answer is waited for and read, and what its errors ask one to do."""

import io
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber
from derived_lake import DERIVED, lake_with, quick_catalog

from codewave.errors import CodewaveError, WrongUseError
from iceberg.athena_engine import AthenaEngine, AthenaSettings, read_answer
from iceberg.definition import TableDefinition

SETTINGS = AthenaSettings(database="rooms", output="s3://results/queries/", first_poll_s=0, longest_poll_s=0)
ID = "query-1"
COLUMNS = {"room_id": "varchar", "edits": "bigint"}


class Aws:
    """Stubs of the two services: calls have to come in this order, with these arguments."""

    def __init__(self) -> None:
        made = {"region_name": "eu-central-1", "aws_access_key_id": "none", "aws_secret_access_key": "none"}
        self.athena, self.s3 = boto3.client("athena", **made), boto3.client("s3", **made)
        self.calls, self.files = Stubber(self.athena), Stubber(self.s3)

    def starts(self, statement: Any = ANY) -> None:
        self.calls.add_response(
            "start_query_execution",
            {"QueryExecutionId": ID},
            {
                "QueryString": statement,
                "ClientRequestToken": ANY,
                "QueryExecutionContext": {"Database": "rooms"},
                "ResultConfiguration": {"OutputLocation": "s3://results/queries/"},
                "WorkGroup": "primary",
            },
        )

    def is_in(self, state: str, reason: str = "", **error: Any) -> None:
        status: dict[str, Any] = {"State": state, "StateChangeReason": reason}
        if error:
            status["AthenaError"] = error
        place = {"OutputLocation": f"s3://results/queries/{ID}.csv"}
        execution = {"QueryExecutionId": ID, "Status": status, "ResultConfiguration": place}
        self.calls.add_response("get_query_execution", {"QueryExecution": execution}, {"QueryExecutionId": ID})

    def answers(self, text: str, columns: dict[str, str]) -> None:
        info = [{"Name": name, "Type": kind} for name, kind in columns.items()]
        told = {"ResultSet": {"Rows": [], "ResultSetMetadata": {"ColumnInfo": info}}}
        self.calls.add_response("get_query_results", told, {"QueryExecutionId": ID, "MaxResults": 1})
        body = text.encode()
        stream = StreamingBody(io.BytesIO(body), len(body))
        self.files.add_response("get_object", {"Body": stream}, {"Bucket": "results", "Key": f"queries/{ID}.csv"})

    def engine(self, catalog: Any = None, settings: AthenaSettings = SETTINGS) -> AthenaEngine:
        return AthenaEngine(self.athena, self.s3, catalog, settings)


@pytest.fixture
def aws() -> Iterator[Aws]:
    aws = Aws()
    with aws.calls, aws.files:
        yield aws
        aws.calls.assert_no_pending_responses()
        aws.files.assert_no_pending_responses()


def test_a_query_is_started_waited_for_and_read_from_its_file(aws: Aws) -> None:
    aws.starts('SELECT room_id, COUNT(*) AS edits FROM "rooms"."document_operations" AS document_operations')
    for state in ("QUEUED", "RUNNING", "SUCCEEDED"):
        aws.is_in(state)
    aws.answers('"room_id","edits"\n"room-7","3"\n"room-8","1"\n', COLUMNS)
    answer = aws.engine().select("SELECT room_id, COUNT(*) AS edits FROM document_operations")
    assert answer.to_pylist() == [{"room_id": "room-7", "edits": 3}, {"room_id": "room-8", "edits": 1}]


def test_parameters_are_literals_of_their_type_and_tables_are_read_at_their_snapshot(aws: Aws) -> None:
    aws.starts(
        'SELECT room_id FROM "rooms"."chat_messages" FOR VERSION AS OF 42 AS chat_messages '
        "WHERE received_at >= CAST('2026-01-01 01:00:00.000000 UTC' AS TIMESTAMP(6) WITH TIME ZONE) "
        "AND room_id <> 'it''s; DROP TABLE x' AND sequence > 7 "
        "AND CAST(received_at AS DATE) = CAST('2026-01-01' AS DATE)"
    )
    aws.is_in("SUCCEEDED")
    aws.answers('"room_id"\n', {"room_id": "varchar"})
    sql = (
        "SELECT room_id FROM chat_messages WHERE received_at >= :start AND room_id <> :room AND sequence > :number "
        "AND CAST(received_at AS DATE) = :day"
    )
    start = datetime.fromisoformat("2026-01-01T02:00:00+01:00")
    values = {"start": start, "room": "it's; DROP TABLE x", "number": 7, "day": date(2026, 1, 1)}
    answer = aws.engine().select(sql, values, {"chat_messages": 42})
    assert (answer.num_rows, answer.column_names) == (0, ["room_id"])


def test_a_parameter_without_a_value_is_named_before_anything_is_started(aws: Aws) -> None:
    with pytest.raises(WrongUseError, match="no value for :room"):
        aws.engine().select("SELECT 1 AS a FROM chat_messages WHERE room_id = :room")


def test_a_busy_athena_is_asked_again(aws: Aws) -> None:
    aws.calls.add_client_error("start_query_execution", "TooManyRequestsException")
    aws.starts()
    aws.calls.add_client_error("get_query_execution", "ThrottlingException")
    aws.is_in("SUCCEEDED")
    aws.answers('"room_id","edits"\n', COLUMNS)
    assert aws.engine().select("SELECT room_id, 1 AS edits FROM chat_messages").num_rows == 0


def test_an_athena_that_stays_busy_is_told_of(aws: Aws) -> None:
    for _ in range(8):
        aws.calls.add_client_error("start_query_execution", "TooManyRequestsException")
    with pytest.raises(CodewaveError, match=r"Athena is busy .* run it again later"):
        aws.engine().select("SELECT 1 AS a FROM chat_messages")


@pytest.mark.parametrize(
    ("state", "error", "kind", "message"),
    [
        ("FAILED", {"ErrorCategory": 2, "Retryable": False}, WrongUseError, "query: no column x"),
        ("FAILED", {"ErrorCategory": 1, "Retryable": True}, CodewaveError, "could not finish .* run it again"),
        ("FAILED", {"ErrorCategory": 3, "Retryable": False}, CodewaveError, "look it up in Athena's history"),
        ("CANCELLED", {}, CodewaveError, "was cancelled in Athena .* run it again"),
    ],
)
def test_a_failure_says_what_to_do(
    aws: Aws, state: str, error: dict[str, Any], kind: type[CodewaveError], message: str
) -> None:
    aws.starts()
    aws.is_in(state, "no column x", **error)
    with pytest.raises(CodewaveError, match=message) as caught:
        aws.engine().select("SELECT x FROM chat_messages")
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("InvalidRequestException", WrongUseError, "Athena refuses it"),
        ("AccessDeniedException", CodewaveError, "check the role's permissions"),
    ],
)
def test_a_refusal_says_what_to_do(aws: Aws, code: str, kind: type[CodewaveError], message: str) -> None:
    aws.calls.add_client_error("start_query_execution", code, "no")
    with pytest.raises(CodewaveError, match=message) as caught:
        aws.engine().select("SELECT 1 AS a FROM chat_messages")
    assert type(caught.value) is kind


def test_a_query_that_takes_too_long_is_stopped(aws: Aws) -> None:
    aws.starts()
    aws.is_in("RUNNING")
    aws.calls.add_response("stop_query_execution", {}, {"QueryExecutionId": ID})
    impatient = AthenaSettings(database="rooms", output="s3://results/queries/", deadline_s=0)
    with pytest.raises(CodewaveError, match="has not answered query-1 in 0 s; it was stopped"):
        aws.engine(settings=impatient).select("SELECT 1 AS a FROM chat_messages")


def test_values_come_back_in_their_types_and_null_is_not_an_empty_text() -> None:
    columns = {
        "text": "varchar", "number": "bigint", "share": "double", "good": "boolean", "day": "date",
        "at": "timestamp with time zone", "total": "decimal(38,0)",
    }  # fmt: skip
    body = (
        '"text","number","share","good","day","at","total"\n'
        '"a ""b""\nc","9007199254740993","0.1","true","2026-01-01","2026-01-01 10:00:00.123456 UTC","5"\n'
        '"",,,,,,\n'
        ',"-1","1.0E-5","false","1970-01-01","2026-01-01 10:00:00.123 UTC","-7"\n'
    )
    first, second, third = read_answer(body.encode(), columns).to_pylist()
    at = datetime(2026, 1, 1, 10, 0, 0, 123456, tzinfo=UTC)
    assert first == {
        "text": 'a "b"\nc', "number": 9007199254740993, "share": 0.1, "good": True, "day": date(2026, 1, 1),
        "at": at, "total": 5,
    }  # fmt: skip
    assert second == dict.fromkeys(columns) | {"text": ""}
    assert (third["text"], third["number"], third["share"]) == (None, -1, 1e-5)
    assert third["at"] == at.replace(microsecond=123000)


def test_a_time_in_another_zone_is_not_taken_for_utc() -> None:
    with pytest.raises(Exception, match="Europe/Berlin"):
        read_answer(b'"at"\n"2026-01-01 10:00:00.000 Europe/Berlin"\n', {"at": "timestamp with time zone"})


def test_tables_and_columns_are_told_by_the_catalog(aws: Aws, tmp_path: Path) -> None:
    lake = lake_with(quick_catalog(tmp_path), tmp_path / "warehouse", "billing_seals")
    engine = aws.engine(lake.catalog)
    assert engine.query("SHOW TABLES").rows == [["billing_seals"]]
    assert engine.query("DESCRIBE billing_seals").rows == lake.engine.query("DESCRIBE billing_seals").rows


@pytest.mark.parametrize("definition", DERIVED, ids=lambda one: one.name)
def test_every_derived_tables_query_is_sent_as_athena_takes_it(aws: Aws, definition: TableDefinition) -> None:
    aws.starts()
    aws.is_in("SUCCEEDED")
    columns = {column.name: "varchar" for column in definition.columns}
    aws.answers(",".join(f'"{name}"' for name in columns) + "\n", columns)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    snapshots = dict.fromkeys(definition.touched_by, 7)
    answer = aws.engine().select(definition.query, {"interval_start": start, "interval_end": start}, snapshots)
    assert answer.column_names == list(columns)
