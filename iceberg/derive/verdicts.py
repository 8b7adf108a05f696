"""Checks of an interval's rows before they are committed: what the definition says, and ``checks.sql``."""

import functools
from collections.abc import Mapping
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from sqlglot import exp

from codewave.errors import CodewaveError, WrongUseError
from iceberg.athena import Parameter, duckdb_sql, parse_select
from iceberg.definition import Check, TableDefinition
from iceberg.engine import utc_connection

_SHOWN: Final = 3
"""Failing rows told in words."""
_ROWS: Final = "candidate_rows"


class BlockedError(CodewaveError):
    """A check of severity ``block`` failed: nothing was committed; correct the source or the query."""


class FailedCheck(Struct, frozen=True):
    """A check that found rows."""

    name: str
    severity: str
    meaning: str
    rows: int
    examples: list[dict[str, Any]]
    """The first of them."""

    def __str__(self) -> str:
        return f"{self.name}: {self.rows} rows fail ({self.meaning}), the first: {self.examples[0]}"


def failed_checks(
    definition: TableDefinition, rows: pa.Table, parameters: Mapping[str, Parameter]
) -> tuple[FailedCheck, ...]:
    """Every check that the rows about to be written fail; a check reads nothing but them.

    :raises WrongUseError: for a check that cannot be run.
    """
    found = [*_nulls(definition, rows), *_twice(definition, rows)]
    with _connection().cursor() as cursor:
        cursor.register(_ROWS, rows)
        found += [failed for check in definition.checks if (failed := _run(cursor, definition, check, parameters))]
    return tuple(found)


def refuse_blocked(definition: TableDefinition, failed: tuple[FailedCheck, ...], place: str) -> None:
    """Stop a commit.

    :raises BlockedError: if one of the checks blocks, naming each with a row that fails.
    """
    blocking = [check for check in failed if check.severity == "block"]
    if blocking:
        told = "; ".join(str(check) for check in blocking)
        raise BlockedError(f"{definition.name} {place}: nothing was committed: {told}")


def _run(
    cursor: duckdb.DuckDBPyConnection, definition: TableDefinition, check: Check, parameters: Mapping[str, Parameter]
) -> FailedCheck | None:
    place = f"{definition.name}/checks.sql: {check.name}"

    def source(table: str) -> exp.Expr:
        if table != definition.name:
            raise WrongUseError(f"{place}: reads {table}; a check reads {definition.name} only")
        return exp.to_identifier(_ROWS)

    statement = duckdb_sql(parse_select(check.sql, parameters), source)
    try:
        failing = cursor.sql(statement).to_arrow_table()
    except duckdb.Error as error:
        raise WrongUseError(f"{place}: {str(error).splitlines()[0]}") from None
    return _failed(check.name, check.severity, check.meaning, failing)


def _nulls(definition: TableDefinition, rows: pa.Table) -> list[FailedCheck]:
    found = []
    for column in definition.columns:
        if column.required and rows[column.name].null_count:
            failing = rows.filter(pc.is_null(rows[column.name]))
            found.append(_failed(f"{column.name}_required", "block", f"{column.name} is never empty", failing))
    return [one for one in found if one]


def _twice(definition: TableDefinition, rows: pa.Table) -> list[FailedCheck]:
    if not definition.key:
        return []
    counted = rows.group_by(list(definition.key)).aggregate([([], "count_all")])
    failing = counted.filter(pc.greater(counted["count_all"], 1))
    failed = _failed("key_once", "block", f"one row for each {', '.join(definition.key)}", failing)
    return [failed] if failed else []


def _failed(name: str, severity: str, meaning: str, failing: pa.Table) -> FailedCheck | None:
    if not failing.num_rows:
        return None
    return FailedCheck(name, severity, meaning, failing.num_rows, failing.slice(0, _SHOWN).to_pylist())


@functools.cache
def _connection() -> duckdb.DuckDBPyConnection:
    return utc_connection()
