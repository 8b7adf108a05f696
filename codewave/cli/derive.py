"""``codewave tables derive``: a derived table's intervals, computed again."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from codewave.cli.output import JsonOption, console, emit, progress_console
from codewave.errors import WrongUseError
from codewave.local.namespace import LIVE
from codewave.local.settings import load_settings

if TYPE_CHECKING:
    from iceberg.derive import Derived, Interval
    from iceberg.derive.interval import Unit
    from iceberg.lake import Lake

FromOption = Annotated[
    datetime | None, typer.Option("--from", help="From the interval of this time (UTC) on; default: what is touched.")
]
ToOption = Annotated[datetime | None, typer.Option("--to", help="To before this time (UTC); default: one interval.")]


class DerivedInterval(Struct):
    """One interval that was derived."""

    start: datetime
    end: datetime
    rows: int
    snapshot_id: int | None
    """None if its rows were there already."""
    warnings: list[str]


def derive_command(
    table: Annotated[str, typer.Argument(help="A table with a query.sql.")],
    start: FromOption = None,
    end: ToOption = None,
    namespace: Annotated[str, typer.Option(help="Namespace of the lake.")] = LIVE,
    as_json: JsonOption = False,
) -> None:
    """Derive a table: every interval that new rows of its sources touch, or the intervals named.

    The same sources give the same rows; an interval that holds them already is not written again.

    Example: codewave tables derive usage_daily --from 2026-03-01 --to 2026-04-01
    """
    from iceberg.lake import local_lake

    if end is not None and start is None:
        raise WrongUseError("tables: --to needs --from")
    lake = local_lake(load_settings(), namespace)
    results = [_interval(one) for one in _derived(lake, table, start, end)]
    emit(results, as_json=as_json, show=lambda found: _show(table, found))


def _derived(lake: "Lake", table: str, start: datetime | None, end: datetime | None) -> "Iterator[Derived]":
    from iceberg.derive import mark_derived, touched_intervals
    from iceberg.derive.run import derived_definition

    definition = derived_definition(lake, table)
    if start is not None:
        intervals = tuple(_named(definition.interval or "day", start, end))
        yield from _with_progress(lake, table, intervals)
        return
    touched = touched_intervals(lake, table)
    yield from _with_progress(lake, table, touched.intervals)
    mark_derived(lake, table, touched.through)


def _named(unit: "Unit", start: datetime, end: datetime | None) -> "Iterator[Interval]":
    from iceberg.derive import intervals_between
    from iceberg.derive.interval import interval_of

    first = start.replace(tzinfo=UTC)
    return intervals_between(unit, first, end.replace(tzinfo=UTC) if end else interval_of(unit, first).end)


def _with_progress(lake: "Lake", table: str, intervals: "tuple[Interval, ...]") -> "Iterator[Derived]":
    from iceberg.derive import derive

    for number, interval in enumerate(intervals, 1):
        derived = derive(lake, table, interval)
        done = f"{derived.rows:,} rows" + ("" if derived.snapshot_id else ", as they were")
        progress_console.print(f"{table} {interval} ({number}/{len(intervals)}): {done}", markup=False)
        for warning in derived.warnings:
            progress_console.print(f"  warning: {warning}", style="yellow", markup=False, soft_wrap=True)
        yield derived


def _interval(derived: "Derived") -> DerivedInterval:
    return DerivedInterval(
        derived.interval.start,
        derived.interval.end,
        derived.rows,
        derived.snapshot_id,
        [str(warning) for warning in derived.warnings],
    )


def _show(table: str, results: list[DerivedInterval]) -> None:
    written = sum(1 for one in results if one.snapshot_id is not None)
    console.print(f"{table}: {len(results)} intervals derived, {written} of them written")
