"""A run: one interval of a derived table, computed from its sources and put in place of what was there."""

from typing import Final

import pyarrow as pa
from msgspec import Struct
from pyiceberg.table import Table

from codewave.errors import WrongUseError
from iceberg.athena import source_tables
from iceberg.definition import TableDefinition
from iceberg.derive.added import INTERVAL_END, INTERVAL_START
from iceberg.derive.conflicts import start_over
from iceberg.derive.interval import Interval, interval_of
from iceberg.derive.reach import refuse_out_of_reach
from iceberg.derive.replacement import read_held, replace_interval, sorted_rows
from iceberg.derive.seals import last_sealed, refuse_sealed
from iceberg.derive.verdicts import FailedCheck, failed_checks, refuse_blocked
from iceberg.lake import Lake

SOURCE: Final = "codewave.source."
"""And the name of a source, in a snapshot's summary: the snapshot that was read."""


class Derived(Struct, frozen=True):
    """What a run did."""

    table: str
    interval: Interval
    rows: int
    snapshot_id: int | None
    """The new snapshot; None if the interval held these rows already and nothing was committed."""
    warnings: tuple[FailedCheck, ...] = ()
    """Checks of severity ``warn`` that failed."""


def derive(lake: Lake, table: str, interval: Interval) -> Derived:
    """Compute an interval of a derived table and replace what was there, in one commit.

    The same sources give the same rows; where they are there already, nothing is committed. Dying at any point leaves
    the old rows or the new ones. Where somebody else commits to the table meanwhile, it starts over from reading.

    :raises SealedError: for a sealed day.
    :raises BlockedError: if a check of severity ``block`` fails; nothing is committed.
    :raises OutOfReachError: if retention has removed rows that the interval was made of.
    :raises WrongUseError: if the table is not derived, or the interval is not one of its.
    :raises CodewaveError: if others keep committing to the table, or the engine fails.
    """
    definition = derived_definition(lake, table)
    _check_interval(definition, interval)
    return start_over(f"{table} {interval}", _run, lake, definition, interval)


def derived_definition(lake: Lake, table: str) -> TableDefinition:
    """The definition of a table that a query derives.

    :raises WrongUseError: if there is no such table, or no query makes it.
    """
    definition = lake.definition(table)
    if not definition.derived:
        names = ", ".join(one.name for one in lake.definitions if one.derived)
        raise WrongUseError(f"tables: {table} is not derived by a query; those that are: {names}")
    return definition


def _check_interval(definition: TableDefinition, interval: Interval) -> None:
    if definition.interval is None or interval_of(definition.interval, interval.start) != interval:
        raise WrongUseError(f"{definition.name}: {interval.start} to {interval.end} is not one {definition.interval}")


def _run(lake: Lake, definition: TableDefinition, interval: Interval) -> Derived:
    # Everything is read at the state of these handles, and the commit holds on to the target's.
    target = lake.load(definition.name)
    handles = {name: lake.load(name) for name in source_tables(definition.query) if name != definition.name}
    refuse_sealed(definition, interval, last_sealed(lake, definition))
    refuse_out_of_reach(definition, interval, handles.values())
    snapshots = _snapshots(handles | {definition.name: target})
    parameters = {"interval_start": interval.start, "interval_end": interval.end}
    # Nothing keeps the answer itself: a day's rows are large enough once.
    rows = sorted_rows(
        _as_table(lake.engine.select(definition.query, parameters, snapshots), target, definition), definition
    )
    failed = failed_checks(definition, rows, parameters)
    refuse_blocked(definition, failed, str(interval))
    held = read_held(target, definition.interval_column, interval)
    if rows.equals(sorted_rows(held.inside, definition)):
        return Derived(definition.name, interval, rows.num_rows, None, failed)
    # Again, right before the commit: the day may have been sealed while the query ran.
    refuse_sealed(definition, interval, last_sealed(lake, definition))
    summary = _summary(interval, {name: snapshots[name] for name in handles if name in snapshots})
    snapshot_id = replace_interval(target, definition, held, rows, summary)
    return Derived(definition.name, interval, rows.num_rows, snapshot_id, failed)


def _snapshots(handles: dict[str, Table]) -> dict[str, int]:
    current = {name: handle.metadata.current_snapshot_id for name, handle in handles.items()}
    return {name: snapshot_id for name, snapshot_id in current.items() if snapshot_id is not None}


def _as_table(answer: pa.Table, target: Table, definition: TableDefinition) -> pa.Table:
    schema = target.schema().as_arrow()
    if differing := set(schema.names).symmetric_difference(answer.column_names):
        raise WrongUseError(
            f"{definition.name}/query.sql: its columns and the table's differ in {', '.join(sorted(differing))}; "
            "correct query.sql or table.yml, then `codewave tables apply`"
        )
    try:
        return answer.select(schema.names).cast(schema)
    except pa.ArrowInvalid as error:
        raise WrongUseError(f"{definition.name}/query.sql: {error}") from None


def _summary(interval: Interval, snapshots: dict[str, int]) -> dict[str, str]:
    said = {INTERVAL_START: interval.start.isoformat(), INTERVAL_END: interval.end.isoformat()}
    return said | {SOURCE + name: str(snapshot_id) for name, snapshot_id in snapshots.items()}
