"""``codewave faults``: a random schedule of faults under load, and the difference it made."""

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape

from codewave.cli.output import JsonOption, console, emit, progress_console
from codewave.cli.play import stop_on_interrupt
from codewave.errors import CodewaveError, WrongUseError
from codewave.local.namespace import Namespace
from codewave.local.settings import load_settings

if TYPE_CHECKING:
    from codewave.faults.fault import Fault
    from codewave.faults.schedule import Planned
    from codewave.faults.trial import Told
    from codewave.faults.trial_result import Result
    from codewave.workload.options import WorkloadOptions

NAMESPACE: Final = Namespace("faults")
CHAOS: Final = "duplicate=0.02 reorder=0.02 malformed=0.005 oversized=0.001 corrupt=0.001"
"""Bad input of every kind, all the time."""
_DEFAULT_ROOMS: Final = 4
_DEFAULT_RATE: Final = 500.0
_MOST_MINUTES: Final = 24 * 60.0
_NAME_WIDTH: Final = 28
_LOAD_FACTOR: Final = 4
"""So much more workload than the minutes need: it ends when the last fault is healed, however long that takes."""


def register(app: typer.Typer) -> None:
    """Add ``faults``."""
    app.command("faults")(_command)


def _command(  # noqa: PLR0913, PLR0917 - one per option
    seed: Annotated[int, typer.Option(help="The same seed makes the same schedule.")] = 1,
    minutes: Annotated[float, typer.Option(help="How long the load lasts at least; recovery comes on top.")] = 5.0,
    rooms: Annotated[int, typer.Option(help="Rooms of the load.")] = _DEFAULT_ROOMS,
    rate: Annotated[float, typer.Option(help="Real events a second.")] = _DEFAULT_RATE,
    only: Annotated[str, typer.Option(metavar="NAME,…", help="Only these faults. Default: all of --list.")] = "",
    list_: Annotated[bool, typer.Option("--list", help="Print the faults, and make none.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the schedule, and make no fault.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make faults at random under load, heal them, and prove that everything sent is stored: once, and in order.

    Starts the stack, empties the namespace `faults`, and leaves the stack up without that job. Whole processes are
    killed, so no other job may run. Ctrl-C heals what is broken, waits until what was sent is stored, and reports.
    Exit 1 with the difference if anything is amiss.
    """
    from codewave.faults.catalogue import choose
    from codewave.faults.schedule import plan

    options = _options(minutes, rooms, rate, seed)
    chosen = choose(only)
    if list_:
        emit([_described(fault) for fault in chosen], as_json=as_json, show=_show_faults)
        return
    left_out = {fault.name: reason for fault in chosen if (reason := fault.unavailable())}
    able = [fault for fault in chosen if fault.name not in left_out]
    if not able:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise CodewaveError(f"faults: none of these can be made on this machine: {reasons}")
    schedule = plan(able, seed, minutes)
    if dry_run:
        planned = {"seed": seed, "minutes": minutes, "faults": schedule, "left_out": left_out}
        emit(planned, as_json=as_json, show=lambda _: _show_schedule(schedule, left_out, console.print))
        return
    _show_schedule(schedule, left_out, progress_console.print)
    result = _run(able, schedule, options, seed=seed, minutes=minutes, left_out=left_out)
    emit(result, as_json=as_json, show=_show)
    if not result.good:
        raise typer.Exit(1)


def _options(minutes: float, rooms: int, rate: float, seed: int) -> "WorkloadOptions":
    from codewave.workload.options import EVENTS_PER_ROOM_SECOND, MAX_SECONDS, options_for

    if not (0 < minutes <= _MOST_MINUTES):
        raise WrongUseError(f"--minutes {minutes:g}: must be more than 0 and at most {_MOST_MINUTES:g}")
    if not (rooms >= 1):
        raise WrongUseError(f"--rooms {rooms}: must be 1 or more")
    if not (0 < rate < math.inf):
        raise WrongUseError(f"--rate {rate:g}: must be more than 0")
    virtual_s = math.ceil(minutes * 60 * _LOAD_FACTOR * rate / (rooms * EVENTS_PER_ROOM_SECOND))
    if virtual_s > MAX_SECONDS:
        raise WrongUseError(
            f"--rooms {rooms}: too few to make {rate:g} events a second; use more rooms or a lower --rate"
        )
    return options_for(traces=0, rooms=rooms, seconds=virtual_s, rate=rate, seed=seed, chaos=CHAOS)


def _run(  # noqa: PLR0913 - what the result names
    faults: "list[Fault]",
    schedule: "list[Planned]",
    options: "WorkloadOptions",
    *,
    seed: int,
    minutes: float,
    left_out: dict[str, str],
) -> "Result":
    from codewave.faults.load import Load
    from codewave.faults.stage import staged
    from codewave.faults.trial import Trial
    from codewave.faults.trial_result import result_of

    def setting_up(step: str) -> None:
        progress_console.print(f"  {step}", markup=False)

    with staged(load_settings(), NAMESPACE, seed, setting_up) as scene, progress_console.status("") as status:

        def tell(told: "Told") -> None:
            status.update(escape(_progress(told)))

        def say(told: "Told", text: str) -> None:
            progress_console.print(f"{_progress(told)}: {text}", markup=False, soft_wrap=True)

        began = time.monotonic()
        with stop_on_interrupt() as stopped:
            load = Load(scene.settings, NAMESPACE, options, endpoint=scene.proxies.stream.url)
            trial = Trial(scene, load, tell, say)
            trial.run(schedule, {fault.name: fault for fault in faults}, minutes * 60, stopped)
            truth, report = trial.finish()
            interrupted = stopped()
        return result_of(
            trial.struck,
            truth,
            report,
            seed=seed,
            minutes=minutes,
            left_out=left_out,
            revived=trial.revived,
            seconds=time.monotonic() - began,
            interrupted=interrupted,
        )


def _progress(told: "Told") -> str:
    return f"{told.elapsed_s:5.0f} s  {told.sent:,} sent, {told.stored:,} in the lake, job {told.job}"


def _described(fault: "Fault") -> dict[str, Any]:
    return {
        "name": fault.name,
        "summary": fault.summary,
        "longest_s": fault.longest_s,
        "unavailable": fault.unavailable(),
    }


def _show_faults(faults: list[dict[str, Any]]) -> None:
    for fault in faults:
        console.print(f"{fault['name']:<{_NAME_WIDTH}}{fault['summary']}", markup=False, soft_wrap=True)
        if fault["unavailable"]:
            console.print(f"{'':<{_NAME_WIDTH}}not here: {fault['unavailable']}", markup=False, soft_wrap=True)


def _show_schedule(schedule: "list[Planned]", left_out: dict[str, str], print_: Callable[..., None]) -> None:
    for one in schedule:
        length = f"for {one.seconds:.0f} s" if one.seconds else ""
        print_(f"{one.at_s:6.0f} s  {one.fault:<{_NAME_WIDTH}}{length}".rstrip(), markup=False)
    for name, reason in left_out.items():
        print_(f"  left out  {name}: {reason}", markup=False, soft_wrap=True)


def _show(result: "Result") -> None:
    from rich.table import Table

    table = Table("at", "fault", "took", "recovered after", "what it did", box=None, pad_edge=False)
    for one in result.faults:
        recovered = "–" if one.recovered_after_s is None else f"{one.recovered_after_s:.0f} s"
        did = escape(one.did)
        table.add_row(
            f"{one.at_s:.0f} s", one.name, f"{one.seconds:.0f} s", recovered, did, style="red" if one.failed else None
        )
    console.print(table)
    if result.revived:
        console.print(f"the job was gone beside that, and resumed: {result.revived} times")
    console.print(
        f"sent {result.sent:,} events; received {result.received:,} = stored {result.stored:,} + duplicate "
        f"{result.duplicate:,} + quarantined {result.quarantined:,}; gaps {result.gaps:,}"
    )
    console.print(f"documents rebuilt and equal: {result.documents_verified:,} of {result.documents:,}")
    for problem in result.problems:
        console.print(f"  {problem}", style="red", markup=False, soft_wrap=True)
    if result.interrupted:
        console.print("stopped before the end of the schedule", style="yellow")
    console.print(f"[bold {'green' if result.closes else 'red'}]difference: {result.difference}[/]")
