"""Athena as the engine: the same SQL, run on AWS over the tables of a Glue database."""

import io
import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlparse

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from pyarrow import csv
from pyiceberg.catalog import Catalog

from codewave.errors import CodewaveError, WrongUseError
from iceberg.athena import Parameter, athena_sql, parse_select, translate
from iceberg.engine import QueryResult, plain_values, told_by_catalog

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_USER_ERROR: Final = 2
"""``AthenaError.ErrorCategory``: 1 is the system's, 2 the user's, 3 another's (API reference, AthenaError)."""
_ENDED: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
_LONGEST_ATHENA_QUERY_BYTES: Final = 262_144
_REQUEST_ERRORS: Final = frozenset({"InvalidRequestException"})
_BUSY_ERRORS: Final = frozenset({"TooManyRequestsException", "ThrottlingException", "InternalServerException"})
_CALLS: Final = 8
"""Attempts of one call that AWS answers with `busy`, besides those of boto3 itself."""

_TYPES: Final[dict[str, pa.DataType]] = {
    "boolean": pa.bool_(),
    "tinyint": pa.int64(),
    "smallint": pa.int64(),
    "integer": pa.int64(),
    "bigint": pa.int64(),
    "float": pa.float64(),
    "real": pa.float64(),
    "double": pa.float64(),
    "date": pa.date32(),
}
"""Athena's column types → Arrow's; times and decimals are converted apart, all others are text."""


class AthenaSettings(Struct, frozen=True, kw_only=True):
    """Where Athena runs queries, and how patiently its answer is waited for."""

    database: str
    """The Glue database: the lake's namespace."""
    output: str
    """``s3://bucket/prefix/`` for results; its lifecycle rule removes them."""
    workgroup: str = "primary"
    first_poll_s: float = 0.25
    longest_poll_s: float = 4.0
    deadline_s: float = 1_800.0
    """Athena's own limit on a query is 30 minutes."""


class AthenaEngine:
    """Athena, by boto3. Its answer is read from the file that Athena leaves in S3, in one call."""

    def __init__(self, athena: Any, s3: Any, catalog: Catalog, settings: AthenaSettings) -> None:
        """Take boto3 clients of the two services; nothing is called yet."""
        self._athena, self._s3, self._catalog, self._settings = athena, s3, catalog, settings

    def query(self, sql: str) -> QueryResult:
        """As :meth:`iceberg.engine.Engine.query`; lists come as Athena prints them."""
        statement = translate(sql, self._settings.database)
        if statement.kind != "query":
            return told_by_catalog(self._catalog, statement)
        return plain_values(self.select(sql))

    def select(
        self, sql: str, parameters: Mapping[str, Parameter] | None = None, snapshots: Mapping[str, int] | None = None
    ) -> pa.Table:
        """As :meth:`iceberg.engine.Engine.select`."""
        tree = parse_select(sql, parameters or {})
        statement = athena_sql(tree, self._settings.database, snapshots or {})
        if len(statement.encode()) > _LONGEST_ATHENA_QUERY_BYTES:
            raise WrongUseError(f"query: longer than Athena takes ({_LONGEST_ATHENA_QUERY_BYTES:,} bytes)")
        execution_id = self._start(statement)
        try:
            execution = self._wait(execution_id)
        except BaseException:
            self._athena.stop_query_execution(QueryExecutionId=execution_id)
            raise
        if execution["Status"]["State"] != "SUCCEEDED":
            raise _failure(execution_id, execution["Status"])
        return self._answer(execution_id, execution)

    def _start(self, statement: str) -> str:
        # The token makes a repeated call start nothing new.
        started = self._call(
            self._athena.start_query_execution,
            QueryString=statement,
            ClientRequestToken=str(uuid.uuid4()),
            QueryExecutionContext={"Database": self._settings.database},
            ResultConfiguration={"OutputLocation": self._settings.output},
            WorkGroup=self._settings.workgroup,
        )
        return str(started["QueryExecutionId"])

    def _wait(self, execution_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + self._settings.deadline_s
        pause_s = self._settings.first_poll_s
        while True:
            found = self._call(self._athena.get_query_execution, QueryExecutionId=execution_id)
            execution: dict[str, Any] = found["QueryExecution"]
            if execution["Status"]["State"] in _ENDED:
                return execution
            if time.monotonic() >= deadline:
                raise CodewaveError(
                    f"query: Athena has not answered {execution_id} in {self._settings.deadline_s:,.0f} s; it was "
                    "stopped; read less (a shorter interval, a condition on the partition), then run it again"
                )
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, self._settings.longest_poll_s)

    def _answer(self, execution_id: str, execution: dict[str, Any]) -> pa.Table:
        told = self._call(self._athena.get_query_results, QueryExecutionId=execution_id, MaxResults=1)
        columns = {one["Name"]: one["Type"] for one in told["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]}
        place = urlparse(execution["ResultConfiguration"]["OutputLocation"])
        body = self._call(self._s3.get_object, Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
        return read_answer(body, columns)

    def _call(self, function: Any, **arguments: Any) -> Any:
        """Call AWS; wait and try again while it is busy.

        :raises WrongUseError: for a statement that Athena refuses.
        :raises CodewaveError: for anything else, with what to do.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        pause_s = self._settings.first_poll_s
        for attempt in range(1, _CALLS + 1):
            try:
                return function(**arguments)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _BUSY_ERRORS or attempt == _CALLS:
                    raise _refusal(error) from error
            except BotoCoreError as error:
                raise CodewaveError(
                    f"query: AWS does not answer: {error}; check the network and credentials"
                ) from error
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, self._settings.longest_poll_s)
        raise AssertionError  # the last attempt returns or raises


def read_answer(body: bytes, columns: Mapping[str, str]) -> pa.Table:
    """Athena's result file as Arrow.

    Every value is quoted there; what is empty and not quoted is NULL.

    :param columns: name → Athena's type.
    """
    table = csv.read_csv(
        io.BytesIO(body),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types={name: _TYPES.get(kind, pa.string()) for name, kind in columns.items()},
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
            true_values=["true"],
            false_values=["false"],
        ),
    )
    values = [_converted(table[name], kind) for name, kind in columns.items()]
    return pa.table(values, names=list(columns))


def _converted(column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
    if kind.startswith("decimal"):
        return column.cast(pa.decimal128(38, 0) if kind.endswith(",0)") else pa.decimal128(38, 9))
    if not kind.startswith("timestamp"):
        return column
    plain = pc.replace_substring_regex(column, pattern=" UTC$", replacement="")
    return pc.assume_timezone(plain.cast(pa.timestamp("us")), "UTC")


def _failure(execution_id: str, status: dict[str, Any]) -> CodewaveError:
    reason = status.get("StateChangeReason", "no reason given")
    if status["State"] == "CANCELLED":
        return CodewaveError(f"query: {execution_id} was cancelled in Athena ({reason}); run it again")
    error = status.get("AthenaError", {})
    if error.get("Retryable"):
        return CodewaveError(f"query: Athena could not finish {execution_id}: {reason}; run it again")
    if error.get("ErrorCategory") == _USER_ERROR:
        return WrongUseError(f"query: {reason}")
    return CodewaveError(f"query: Athena failed at {execution_id}: {reason}; look it up in Athena's history")


def _refusal(error: "ClientError") -> CodewaveError:
    told = error.response["Error"]
    code, message = told["Code"], told.get("Message", "")
    if code in _REQUEST_ERRORS:
        return WrongUseError(f"query: Athena refuses it: {message}")
    if code in _BUSY_ERRORS:
        return CodewaveError(f"query: Athena is busy ({code}); run it again later, or raise the account's quota")
    return CodewaveError(f"query: AWS answers {code}: {message}; check the role's permissions and the settings")
