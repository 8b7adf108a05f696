"""``codewave play``: sends a workload through the client library."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from codewave.cli.output import JsonOption, console, emit, progress_console
from codewave.local.namespace import LIVE, Namespace
from codewave.local.settings import load_settings

if TYPE_CHECKING:
    from codewave.workload.player import Progress
    from codewave.workload.truth import Truth

TracesArgument = Annotated[list[Path] | None, typer.Argument(help="Flat editing traces (.json.gz), one room each.")]
RoomsOption = Annotated[int | None, typer.Option(help="Generated rooms. Default 5, or 0 when traces are given.")]
SecondsOption = Annotated[
    int | None, typer.Option(help="Virtual length of the run; a room makes about 10 events a second.")
]
RateOption = Annotated[float, typer.Option(help="Real events a second; 0 is as fast as possible.")]
SeedOption = Annotated[int | None, typer.Option(help="The same seed makes the same workload. Default: a new one.")]
ChaosOption = Annotated[
    str,
    typer.Option(
        metavar="FAULTS",
        help='Deliberate faults with their probability, as "duplicate=0.05 reorder=0.05 drop=0.001 malformed=0.01 '
        'oversized=0.001 corrupt=0.001". Malformed, oversized and corrupt ones come on top of the real events.',
    ),
]


def register(app: typer.Typer) -> None:
    """Add ``play``."""
    app.command("play")(_command)


def _command(  # noqa: PLR0913, PLR0917 - one per option
    traces: TracesArgument = None,
    rooms: RoomsOption = None,
    seconds: SecondsOption = None,
    rate: RateOption = 0,
    seed: SeedOption = None,
    chaos: ChaosOption = "",
    truth: Annotated[Path | None, typer.Option(metavar="FILE", help="Write what was sent as JSON.")] = None,
    namespace: Annotated[str, typer.Option(help="Whose stream it goes to.")] = LIVE,
    as_json: JsonOption = False,
) -> None:
    """Send a workload: real editing traces, generated rooms, or both, with or without faults.

    Ctrl-C ends it in good order; the truth is then about what was sent until there.
    """
    from codewave.run.play import play
    from codewave.workload.options import options_for
    from codewave.workload.traces import read_trace
    from codewave.workload.truth import write_truth

    files = traces or []
    options = options_for(traces=len(files), rooms=rooms, seconds=seconds, rate=rate, seed=seed, chaos=chaos)
    histories = [read_trace(file) for file in files]
    settings = load_settings()
    with stop_on_interrupt() as stopped, progress_bar() as progress:
        result = play(settings, Namespace(namespace), histories, options, progress, stopped)
    if truth:
        write_truth(result, truth)
    emit(result, as_json=as_json, show=_show)
    if result.interrupted:
        raise typer.Exit(1)


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a wish to stop, which the result says; a second one interrupts as usual."""
    wish = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield wish.is_set
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        wish.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield wish.is_set
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def progress_bar() -> "Iterator[Progress]":
    """A bar on standard error: events sent, their rate, and the time left."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("sending"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=progress_console, transient=True) as bars:
        task = bars.add_task("sending", total=None)
        yield lambda sent, expected: bars.update(task, completed=sent, total=max(sent, expected))


def _show(truth: "Truth") -> None:
    console.print(f"{truth.events:,} events sent, seed {truth.seed}", style="bold")
    for name, count in truth.by_type.items():
        console.print(f"  {name:<24}{count:>10,}")
    faults = {name: getattr(truth.injected, name) for name in truth.injected.__struct_fields__}
    if any(faults.values()):
        console.print("faults: " + ", ".join(f"{count:,} {name}" for name, count in faults.items() if count))
    for trace in truth.traces:
        console.print(
            f"trace {trace.file}: document {trace.document_id}, {trace.operations:,} operations", soft_wrap=True
        )
    if truth.interrupted:
        console.print("stopped before the end", style="yellow")
