"""The tables that quality writes: rows of a run replace those of an earlier one, in one commit a table."""

import warnings
from collections.abc import Sequence
from functools import reduce
from typing import Any, Final

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.expressions import And, BooleanExpression, Or
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from codewave.errors import CodewaveError
from iceberg.derive.interval import Interval
from iceberg.lake import Lake
from iceberg.quality.conditions import empty, equal

RESULTS: Final = "quality_results"
FAILURES: Final = "quality_failures"
PROFILES: Final = "column_profiles"

_LONGEST_S: Final = 60.0
"""Gates of all tables write at the same time; a commit takes some 50 ms, so this is room for a thousand."""
_LONGEST_WAIT_S: Final = 2.0
_INTERVALS_A_COMMIT: Final = 100
"""Each is a part of the condition that says what is replaced, which is evaluated for every file."""


def replace_rows(lake: Lake, table: str, where: BooleanExpression, rows: list[dict[str, Any]]) -> None:
    """Put rows in place of those that ``where`` holds for; the same again changes nothing that can be queried.

    :raises CodewaveError: if others keep committing to the table.
    """
    conflicts = Retrying(
        retry=retry_if_exception_type((CommitFailedException, ValidationException)),
        wait=wait_random_exponential(multiplier=0.05, max=_LONGEST_WAIT_S),
        stop=stop_after_delay(_LONGEST_S),
        reraise=True,
    )
    try:
        conflicts(_replace, lake, table, where, rows)
    except (CommitFailedException, ValidationException) as error:
        raise CodewaveError(f"quality: others kept committing to {table}; run it again ({error})") from error


def replace_intervals(
    lake: Lake, into: str, table: str, intervals: Sequence[Interval | None], rows: list[dict[str, Any]]
) -> None:
    """Put rows in place of those of the same table and intervals in :data:`RESULTS` or :data:`FAILURES`.

    :raises CodewaveError: as :func:`replace_rows`.
    """
    for start in range(0, len(intervals), _INTERVALS_A_COMMIT):
        replaced = intervals[start : start + _INTERVALS_A_COMMIT]
        starts = {interval.start if interval else None for interval in replaced}
        where = reduce(Or, (_of_interval(table, interval) for interval in replaced))
        replace_rows(lake, into, where, [row for row in rows if row["interval_start"] in starts])


def _of_interval(table: str, interval: Interval | None) -> BooleanExpression:
    named = equal("table_name", table)
    if interval is None:
        return And(named, empty("interval_start"))
    start, end = interval.start.isoformat(), interval.end.isoformat()
    return And(named, equal("interval_start", start), equal("interval_end", end))


def _replace(lake: Lake, table: str, where: BooleanExpression, rows: list[dict[str, Any]]) -> None:
    handle = lake.load(table)
    schema = handle.schema().as_arrow()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Delete operation did not match any records")
        if rows:
            handle.overwrite(pa.Table.from_pylist(rows, schema=schema), overwrite_filter=where)
        elif not handle.scan(row_filter=where, selected_fields=("table_name",), limit=1).to_arrow().num_rows:
            return
        else:
            handle.delete(where)
