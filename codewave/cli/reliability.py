"""``codewave reliability``: availability against its objective, and what is left of the error budget."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from codewave.cli.output import JsonOption, console, emit
from codewave.local.namespace import LIVE
from codewave.local.settings import load_settings

if TYPE_CHECKING:
    from rich.table import Table

    from iceberg.reliability.budget import Reliability

DaysOption = Annotated[int, typer.Option(min=1, max=366, help="How far back; the objective is promised over 30 days.")]

_BARS: Final = "▁▂▃▄▅▆▇█"
_NOTHING: Final = "·"


def register(app: typer.Typer) -> None:
    """Add ``reliability``."""
    app.command("reliability")(_command)


def _command(
    days: DaysOption = 30,
    namespace: Annotated[str, typer.Option(help="Namespace of the lake.")] = LIVE,
    as_json: JsonOption = False,
) -> None:
    """Show the pipeline's availability against 99.95 %, the error budget, and the hours that spent it.

    Exit 1 if more was spent than there was.
    """
    from iceberg.lake import local_lake
    from iceberg.reliability.report import reliability_report

    report = reliability_report(local_lake(load_settings(), namespace), days)
    emit(report, as_json=as_json, show=_show)
    if not report.met:
        raise typer.Exit(1)


def _show(report: "Reliability") -> None:
    verdict = "[green]met[/green]" if report.met else "[red]missed[/red]"
    console.print(f"availability {report.availability:.4%} of {report.objective:.2%}: {verdict}")
    spent, left = report.spent_minutes, report.left_minutes
    console.print(f"error budget {report.budget_minutes:.1f} min: {spent:.1f} spent, {left:.1f} left")
    for burn in report.burn_rates:
        style = "red" if burn.alert else ""
        console.print(f"burn rate over {burn.hours} h: {burn.rate:.1f} (alert at {burn.alert_at})", style=style)
    newest = f"{report.newest_hour:%Y-%m-%d %H}:00" if report.newest_hour else "none"
    console.print(
        f"{report.hours_with_events} hours with events, {report.hours_good} of them as good as that; newest {newest}"
    )
    console.print(f"budget left, by day  {chart(report)}  {report.since:%m-%d} to {report.until:%m-%d}", soft_wrap=True)
    if report.worst_hours:
        console.print(_worst(report))


def chart(report: "Reliability") -> str:
    """One character a day: how much of the budget was left at its end; ``·`` for none."""
    return "".join(_bar(day.left_minutes / report.budget_minutes) for day in report.days)


def _bar(left: float) -> str:
    if left <= 0:
        return _NOTHING
    return _BARS[min(int(left * len(_BARS)), len(_BARS) - 1)]


def _worst(report: "Reliability") -> "Table":
    from rich.table import Table

    table = Table("worst hours", "availability", show_edge=False)
    for name in ("bad minutes", "lost", "delayed", "failed", "p99 ms"):
        table.add_column(name, justify="right")
    for hour in report.worst_hours:
        counts = (hour.lost, hour.delayed, hour.failed, hour.delay_p99_ms or 0)
        cells = (f"{hour.hour:%Y-%m-%d %H}:00", f"{hour.availability:.3%}", f"{hour.bad_minutes:.2f}")
        table.add_row(*cells, *(f"{count:,}" for count in counts))
    return table
