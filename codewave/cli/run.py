"""``codewave run``: a workload through the whole pipeline, from an empty namespace to counts that close.

What ``make run`` does once everything is installed.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codewave.cli.output import JsonOption, console, emit, progress_console
from codewave.cli.play import (
    ChaosOption,
    RateOption,
    SecondsOption,
    SeedOption,
    TracesArgument,
    progress_bar,
    stop_on_interrupt,
)
from codewave.local.namespace import LIVE, Namespace
from codewave.local.settings import PROJECT_ROOT, LocalSettings, load_settings

if TYPE_CHECKING:
    from codewave.run.report import Report
    from codewave.workload.truth import Truth

SETUP_SECONDS_VARIABLE = "CODEWAVE_SETUP_SECONDS"
"""Set by ``make run``: how long the set-up before this command took."""


def register(app: typer.Typer) -> None:
    """Add ``run``."""
    app.command("run")(_command)


def _command(  # noqa: PLR0913, PLR0917 - one per option
    traces: TracesArgument = None,
    rooms: Annotated[int | None, typer.Option(help="Generated rooms, beside those of the traces. Default 5.")] = None,
    seconds: SecondsOption = None,
    rate: RateOption = 0,
    seed: SeedOption = None,
    chaos: ChaosOption = "",
    namespace: Annotated[str, typer.Option(help="What was in this namespace before is removed.")] = LIVE,
    as_json: JsonOption = False,
) -> None:
    """Start the stack, play a workload through the pipeline, and prove that nothing was lost, doubled or reordered.

    Starts from an empty namespace, waits until everything sent is stored, compares it with what was sent, rebuilds
    every document, runs Airflow's DAGs, compares the ledger with what was sent, and leaves the stack and the job
    running. Exit 1 with the difference if anything is amiss.
    """
    from codewave.run.ledger import derive_and_compare
    from codewave.run.play import play
    from codewave.run.report import report_on, write_report
    from codewave.run.settle import FirstEvent, wait_until_stored
    from codewave.workload.options import DEFAULT_ROOMS, options_for
    from codewave.workload.traces import read_trace
    from codewave.workload.truth import write_truth

    begin = time.monotonic()
    files = traces or []
    rooms = DEFAULT_ROOMS if rooms is None else rooms
    options = options_for(traces=len(files), rooms=rooms, seconds=seconds, rate=rate, seed=seed, chaos=chaos)
    histories = [read_trace(file) for file in files]
    settings, space = load_settings(), Namespace(namespace)
    _start(settings, space)
    with FirstEvent(settings, space) as first_event:
        sent_from = time.monotonic()
        with stop_on_interrupt() as stopped, progress_bar() as progress:
            truth = play(settings, space, histories, options, progress, stopped)
        write_truth(truth, settings.data / "truth.json")
        with _storing(truth) as stored_so_far:
            result = wait_until_stored(settings, space, truth, stored_so_far)
        stored_at = time.monotonic()
    with progress_console.status("rebuilding every document"):
        report = report_on(settings, space, truth, result)
    with _timed("derived tables"), progress_console.status("Airflow's DAGs over what was stored"):
        report.add_ledger(derive_and_compare(settings, space, truth))
    report.events_per_second = round(truth.events / (stored_at - sent_from), 1)
    report.setup_seconds = float(os.environ.get(SETUP_SECONDS_VARIABLE, "0"))
    report.seconds_to_first_event = round(first_event.at - begin, 1) if first_event.at else None
    write_report(report, settings.data / "report.json")
    emit(report, as_json=as_json, show=lambda found: _show(settings, truth, found))
    if not report.closes or truth.interrupted:
        raise typer.Exit(1)


def _start(settings: LocalSettings, namespace: Namespace) -> None:
    from codewave.local import stack
    from codewave.local.jobs import start_job
    from codewave.local.reset import reset_namespace

    with _timed("stack"):
        stack.up(settings, lambda part, message: progress_console.print(f"  {part}: {message}", markup=False))
    with _timed(f"namespace {namespace.name}, empty"):
        reset_namespace(settings, namespace, lambda step: progress_console.print(f"  {step}", markup=False))
    with _timed("job"), progress_console.status("starting the job"):
        start_job(settings, namespace)


@contextmanager
def _timed(what: str) -> Iterator[None]:
    begin = time.monotonic()
    yield
    progress_console.print(f"{what}: ready after {time.monotonic() - begin:.1f} s", markup=False)


@contextmanager
def _storing(truth: "Truth") -> Iterator[Callable[[int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("storing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=progress_console, transient=True) as bars:
        task = bars.add_task("storing", total=truth.events)
        yield lambda stored: bars.update(task, completed=min(stored, truth.events))


def _show(settings: LocalSettings, truth: "Truth", report: "Report") -> None:
    from rich.table import Table

    table = Table("type", box=None, pad_edge=False)
    for name in ("sent", "stored"):
        table.add_column(name, justify="right")
    for kind, sent in truth.by_type.items():
        stored = report.stored_by_type.get(kind, 0)
        table.add_row(kind, f"{sent:,}", f"{stored:,}", style=None if sent == stored else "red")
    table.add_row("all", f"{truth.events:,}", f"{report.stored:,}", style="bold")
    console.print(table)
    refused = ", ".join(f"{count:,} {reason}" for reason, count in report.quarantined.items()) or "none"
    console.print(
        f"received {report.received:,} = stored {report.stored:,} + duplicate {report.duplicate:,}"
        f" + quarantined {sum(report.quarantined.values()):,}; gaps {report.gaps:,}"
    )
    console.print(f"quarantined: {refused}")
    _show_documents(truth, report)
    _show_ledger(report)
    console.print(
        f"{report.events_per_second:,.0f} events/s from sending to stored; set-up {report.setup_seconds:.0f} s; "
        f"first event searchable after {report.seconds_to_first_event} s"
    )
    for problem in report.problems:
        console.print(f"  {problem}", style="red", markup=False, soft_wrap=True)
    verdict = "[bold green]counts close[/bold green]" if report.closes else "[bold red]counts do not close[/bold red]"
    console.print(f"{verdict}; difference {report.difference}")
    _show_where_to_go(settings, truth)


def _show_documents(truth: "Truth", report: "Report") -> None:
    unverifiable = len(truth.documents_unverifiable)
    lost = f", {unverifiable:,} lost an event on purpose" if unverifiable else ""
    console.print(f"documents rebuilt and equal: {report.documents_verified:,} of {len(truth.documents):,}{lost}")
    for trace in truth.traces:
        console.print(f"  {Path(trace.file).name}: document {trace.document_id}", markup=False, soft_wrap=True)


def _show_ledger(report: "Report") -> None:
    if (ledger := report.ledger) is None:
        return
    totals = ledger.ledger
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in totals.executions.items()) or "no executions"
    verdict = "as sent" if not ledger.problems else "[red]not as sent[/red]"
    console.print(
        f"ledger: {outcomes}; {totals.cpu_ms:,} ms of CPU, {totals.wall_ms:,} ms elapsed: {verdict} "
        f"({len(ledger.dags)} DAGs, {sum(ledger.dags.values()):.0f} s)"
    )


def _uv() -> str:
    """How to call uv here: where there was none, the project has its own."""
    own = PROJECT_ROOT / ".cache" / "bin"
    others = [folder for folder in os.get_exec_path() if Path(folder) != own]
    return "uv" if shutil.which("uv", path=os.pathsep.join(others)) else ".cache/bin/uv"


def _show_where_to_go(settings: LocalSettings, truth: "Truth") -> None:
    uv = _uv()
    document = truth.documents[0].document_id if truth.documents else "ID"
    lines = (
        f"Flink     {settings.flink_url}",
        f'lake      {uv} run codewave query "SELECT count(*), count(DISTINCT event_id) FROM document_operations"',  # noqa: S608
        f"document  {uv} run codewave document show {document}",
        f"search    {uv} run codewave search return",
        f"jobs      {uv} run codewave job status",
        f"ledger    {uv} run codewave query 'SELECT outcome, SUM(counted) FROM executions GROUP BY outcome'",  # noqa: S608
        "Airflow   make airflow",
        f"stop      {uv} run codewave down",
    )
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
