"""``codewave quality``: gates over the lake's tables, their verdicts, profiles and pages."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from codewave.cli.output import JsonOption, console, emit, printable
from codewave.errors import WrongUseError
from codewave.local.namespace import LIVE
from codewave.local.settings import load_settings

if TYPE_CHECKING:
    from datetime import date

    from iceberg.definition import TableDefinition
    from iceberg.lake import Lake
    from iceberg.quality.profile import Profile

NamespaceOption = Annotated[str, typer.Option(help="Namespace of the lake.")]
TableArgument = Annotated[str | None, typer.Argument(help="A table; or --all.")]
AllOption = Annotated[bool, typer.Option("--all", help="Every table but those that quality writes itself.")]
SinceOption = Annotated[
    datetime | None,
    typer.Option(help="Judge all rows from the hour of this time (UTC) on; default what was added since the last run."),
]
DayOption = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A UTC day; default today.")]
FailedOption = Annotated[bool, typer.Option("--failed", help="Only those that did not hold, with their failing rows.")]


class Judged(Struct):
    """One line of ``quality run``."""

    table: str
    open: bool
    rows: int
    intervals: int
    expectations: int
    failed: list[str]
    """What did not hold, and what was found."""
    warnings: list[str]


class Shown(Struct):
    """One line of ``quality results``."""

    table: str
    interval: str
    expectation: str
    severity: str
    success: bool
    observed: str
    why: str
    failing: list[str]
    """Keys and values of the failing rows that were kept."""


class Pages(Struct):
    """Where the pages are."""

    data_docs: str


def register(app: typer.Typer) -> None:
    """Add ``quality``."""
    group = typer.Typer(help="Whether the lake's tables hold what they promise.", no_args_is_help=True)
    group.command("run")(_run)
    group.command("results")(_results)
    group.command("profile")(_profile)
    group.command("docs")(_docs)
    app.add_typer(group, name="quality")


def _run(
    table: TableArgument = None,
    every: AllOption = False,
    since: SinceOption = None,
    namespace: NamespaceOption = LIVE,
    as_json: JsonOption = False,
) -> None:
    """Judge rows by the suite in expectations/, store the verdicts, and build the pages. Exit 1 if a gate closes."""
    lake = _lake(namespace)
    found = [_judge(lake, name, since) for name in chosen(lake.definitions, table, every=every)]
    emit(found, as_json=as_json, show=_show_judged)
    if not all(one.open for one in found):
        raise typer.Exit(1)


def _judge(lake: "Lake", table: str, since: datetime | None) -> Judged:
    from iceberg.quality.errors import GateClosed
    from iceberg.quality.gate import run_gate
    from iceberg.quality.scope import interval_since

    try:
        result = run_gate(lake, table, interval_since(since.replace(tzinfo=UTC)) if since else None)
    except GateClosed as closed:
        result = closed.result
    failed, warnings = (
        [f"{one.expectation}: {one.observed}" for one in result.failed(severity)] for severity in ("block", "warn")
    )
    count = len({one.expectation for one in result.results})
    return Judged(table, not failed, result.rows, len(result.intervals), count, failed, warnings)


def _show_judged(found: list[Judged]) -> None:
    for one in found:
        mark = "[green]open[/green]" if one.open else "[red]closed[/red]"
        console.print(f"{one.table}: {mark}, {one.rows:,} rows, {one.expectations} expectations")
        for text in one.failed:
            console.print(f"  {printable(text)}", style="red", markup=False, soft_wrap=True)
        for text in one.warnings:
            console.print(f"  {printable(text)}", style="yellow", markup=False, soft_wrap=True)


def _results(
    table: TableArgument = None,
    failed: FailedOption = False,
    namespace: NamespaceOption = LIVE,
    as_json: JsonOption = False,
) -> None:
    """Show the verdicts of each table's last run; with --failed also the failing rows by their keys."""
    from iceberg.quality.verdicts import last_results

    lake = _lake(namespace)
    found = [
        Shown(
            one.table_name, one.interval, one.expectation, one.severity, one.success, one.observed, one.why, one.failing
        )
        for one in last_results(lake, table)
        if not (failed and one.success)
    ]
    emit(found, as_json=as_json, show=_show_results)


def _show_results(found: list[Shown]) -> None:
    for one in found:
        mark = "holds" if one.success else {"block": "BLOCKS", "warn": "warns"}[one.severity]
        style = {"holds": "green", "BLOCKS": "red"}.get(mark, "yellow")
        console.print(f"[{style}]{mark}[/{style}] {one.table} {one.interval} ", end="")
        console.print(printable(f"{one.expectation}: {one.observed}"), markup=False, soft_wrap=True)
        for row in one.failing:
            console.print(printable(f"  {row}"), markup=False, soft_wrap=True, style="dim")
    if not found:
        console.print("nothing to show")


def _profile(
    table: TableArgument = None,
    every: AllOption = False,
    day: DayOption = None,
    namespace: NamespaceOption = LIVE,
    as_json: JsonOption = False,
) -> None:
    """Profile the columns of a day and tell how they differ from the seven profiles before."""
    lake = _lake(namespace)
    wanted = (day or datetime.now(UTC)).date()
    found = [one for name in chosen(lake.definitions, table, every=every) for one in _profiles(lake, name, wanted)]
    emit(found, as_json=as_json, show=_show_profiles)


def _profiles(lake: "Lake", table: str, day: "date") -> "list[Profile]":
    from iceberg.quality.profile import profile_day

    return profile_day(lake, table, day)


def _show_profiles(found: "list[Profile]") -> None:
    from rich.table import Table

    shown = Table("column", "rows", "empty", "different", "mean", "drift", show_edge=False)
    for one in found:
        name = f"{one.table_name}.{one.column_name}"
        distinct = "" if one.distinct_values is None else f"{one.distinct_values:,}"
        mean = "" if one.mean is None else f"{one.mean:,.4g}"
        shown.add_row(name, f"{one.rows:,}", f"{one.nulls:,}", distinct, mean, printable(one.drift or ""))
    console.print(shown)


def _docs(namespace: NamespaceOption = LIVE, as_json: JsonOption = False) -> None:
    """Build the Data Docs pages of every suite and the last verdicts, and say where they are."""
    from iceberg.quality.docs import build_docs

    page = build_docs(_lake(namespace), [], everything=True)
    emit(Pages(str(page)), as_json=as_json, show=lambda pages: console.print(pages.data_docs, soft_wrap=True))


def _lake(namespace: str) -> "Lake":
    from iceberg.lake import local_lake

    return local_lake(load_settings(), namespace)


def chosen(definitions: "tuple[TableDefinition, ...]", table: str | None, *, every: bool) -> list[str]:
    """Names of the tables that were asked for.

    :raises WrongUseError: if both or neither was given, or there is no such table.
    """
    from iceberg.quality.store import FAILURES, PROFILES, RESULTS

    names = [one.name for one in definitions]
    if (table is None) == (not every):
        raise WrongUseError("quality: give a table, or --all")
    if table is None:
        return [name for name in names if name not in {RESULTS, FAILURES, PROFILES}]
    if table not in names:
        raise WrongUseError(f"quality: no table {table!r}; tables: {', '.join(names)}")
    return [table]
