"""``codewave reconcile``: whether the counts close."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codewave.cli.output import JsonOption, console, emit
from codewave.local.namespace import LIVE
from codewave.local.settings import load_settings

if TYPE_CHECKING:
    from rich.table import Table

    from codewave.lake.reconcile import Reconciliation, TypeHour

TruthOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What `play --truth` wrote: all of it must be stored.")
]
SinceOption = Annotated[
    datetime | None, typer.Option(help="From the hour of this time (UTC) on; default everything stored.")
]


def register(app: typer.Typer) -> None:
    """Add ``reconcile``."""
    app.command("reconcile")(_command)


def _command(
    namespace: Annotated[str, typer.Option(help="Namespace of the lake.")] = LIVE,
    truth: TruthOption = None,
    since: SinceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check received = stored + duplicate + quarantined + pending, per type and hour, and what tables and indices hold.

    Exit 1 if it does not close. A job that is running commits its tables one after the other: ask again.
    """
    from codewave.lake.reconcile import reconcile
    from codewave.workload.truth import read_truth

    sent = read_truth(truth) if truth else None
    start = since.replace(tzinfo=UTC) if since else None
    result = reconcile(load_settings(), namespace, sent, start)
    emit(result, as_json=as_json, show=_show)
    if not result.closes or result.search_closes is False:
        raise typer.Exit(1)


def _show(result: "Reconciliation") -> None:
    console.print(_hours(result.rows))
    refused = sum(result.quarantined.values())
    console.print(
        f"{result.received:,} received = {result.stored:,} stored + {result.duplicate:,} duplicate "
        f"+ {refused:,} quarantined + {result.pending:,} pending; {result.gaps:,} gaps"
    )
    outcomes = result.outcomes
    console.print(
        f"{result.executions:,} executions, {outcomes.executions:,} with an outcome in {outcomes.rows_held:,} rows, "
        f"{outcomes.lost:,} of them taken for lost; {result.records_missing:,} records missing",
        soft_wrap=True,
    )
    for reason, count in result.quarantined.items():
        console.print(f"  quarantined as {reason}: {count:,}")
    for index in result.search:
        mark = "" if index.closes else f"  [red]the lake has {index.expected:,}[/red]"
        kept = f" + {index.refused:,} refused" if index.refused else ""
        taken_back = f"; {index.taken_back:,} more were taken back by a restart" if index.taken_back else ""
        console.print(f"  search index {index.index}: {index.found:,}{kept}{mark}{taken_back}")
    for problem in result.problems:
        console.print(f"  {problem}", style="red", markup=False, soft_wrap=True)
    verdict = "[green]closes[/green]" if result.closes else f"[red]does not close: {result.difference:,} events[/red]"
    console.print(verdict)


def _hours(rows: "list[TypeHour]") -> "Table":
    from rich.table import Table

    table = Table("type", "hour", show_edge=False)
    for name in ("received", "stored", "duplicate", "quarantined", "pending", "in tables"):
        table.add_column(name, justify="right")
    for row in rows:
        counts = (row.received, row.stored, row.duplicate, row.quarantined, row.pending, row.rows_held)
        table.add_row(row.type, f"{row.hour:%Y-%m-%d %H}:00", *(f"{count:,}" for count in counts))
    return table
