"""``codewave dags``: Airflow's DAGs over the lake, listed and run."""

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from codewave.cli.output import JsonOption, console, emit, progress_console
from codewave.errors import WrongUseError
from codewave.local.namespace import LIVE
from codewave.local.settings import load_settings

if TYPE_CHECKING:
    from codewave.orchestration.runs import DagInfo, DagResult

_NEW_ROWS = "has new rows"
_BY_SOURCES = "new rows in its sources"
_MARKS = {"success": "green", "failed": "red", "upstream_failed": "red", "skipped": "dim"}


def register(app: typer.Typer) -> None:
    """Add ``dags``."""
    group = typer.Typer(help="Airflow's DAGs over the lake.", no_args_is_help=True)
    group.command("list")(_list)
    group.command("run")(_run)
    group.command("web")(_web)
    app.add_typer(group, name="dags")


def _list(as_json: JsonOption = False) -> None:
    """List the DAGs: when they run, how long they may take, who looks after them."""
    from codewave.local.airflow import list_dags

    with progress_console.status("reading the DAGs"):
        found = list_dags(load_settings())
    emit(found, as_json=as_json, show=_show_dags)


def _show_dags(dags: "list[DagInfo]") -> None:
    from rich.table import Table

    table = Table(show_edge=False)
    for heading in ("DAG", "deadline", "owner"):
        table.add_column(heading, no_wrap=True)
    table.add_column("runs", max_width=24)
    table.add_column("what it does")
    for dag in dags:
        deadline = f"{dag.deadline_seconds / 60:.0f} min" if dag.deadline_seconds else ""
        table.add_row(dag.name, deadline, dag.owner, _short(dag.schedule), _about(dag))
    console.print(table)


def _short(schedule: str) -> str:
    """A derived table's many sources are on its own page."""
    return _BY_SOURCES if schedule.endswith(_NEW_ROWS) else schedule


def _about(dag: "DagInfo") -> str:
    """The first sentence, without what the name says already."""
    told = dag.description.split(": ", maxsplit=1)[-1] if dag.name.startswith("derive_") else dag.description
    return told.split(". ", maxsplit=1)[0].removesuffix(".")


def _run(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="DAGs; `derived` for all of derived tables.")],
    day: Annotated[
        str | None, typer.Option("--date", metavar="DAY", help="Day that daily DAGs work on, UTC. Default: yesterday.")
    ] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of the lake.")] = LIVE,
    as_json: JsonOption = False,
) -> None:
    """Run DAGs, one after the other, here and now; exit 1 with the reason if one fails.

    Needs the local stack's catalog, not Airflow's own services.

    Example: codewave dags run derived billing_close --date 2026-11-22
    """
    from codewave.local.airflow import run_dags

    if day is not None:
        _check_date(day)
    with progress_console.status(f"running {', '.join(names)}"):
        results = run_dags(load_settings(), names, day, namespace)
    emit(results, as_json=as_json, show=_show_results)
    if not all(one.succeeded for one in results):
        raise typer.Exit(1)


def _check_date(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise WrongUseError(f"dags: {text!r} is not a date; give YYYY-MM-DD") from None


def _show_results(results: "list[DagResult]") -> None:
    for run in results:
        style = _MARKS.get(run.state, "yellow")
        console.print(f"[{style}]{run.state}[/{style}]  {run.dag}  {run.seconds:.1f} s  {_tasks(run)}")
        if run.reason:
            console.print(f"  {run.reason}", style="red", markup=False, soft_wrap=True)


def _tasks(run: "DagResult") -> str:
    states = [task.state for task in run.tasks]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


def _web(namespace: Annotated[str, typer.Option(help="Namespace of the lake.")] = LIVE) -> None:
    """Run Airflow with its web page on the local lake, until Ctrl-C."""
    from codewave.local.airflow import serve_airflow

    settings = load_settings()
    serve_airflow(settings, lambda message: progress_console.print(message, markup=False, soft_wrap=True), namespace)
