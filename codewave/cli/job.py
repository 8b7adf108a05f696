"""Commands of the Flink job: ``job start``, ``stop``, ``savepoint``, ``resume``, ``status``."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from codewave.cli.output import JsonOption, console, emit, printable, progress_console
from codewave.errors import CodewaveError, WrongUseError

if TYPE_CHECKING:
    from codewave.local.job_status import JobStatus
    from codewave.local.jobs import JobInfo

_ALL: Final = "raw,lake,search"
_LOOK: Final = "; look with `codewave search operator_failed --kind quarantine`"

NamespaceOption = Annotated[str, typer.Option(help="Which set of stream, tables and indices.")]
SinksOption = Annotated[str | None, typer.Option(help="Any of raw, lake, search, separated by commas.")]
ParallelismOption = Annotated[int | None, typer.Option(min=1, help="Subtasks; default: the setting parallelism.")]
StoreAgainOption = Annotated[
    bool,
    typer.Option("--store-again", help="Restore even a state that the lake has gone on from: events are stored twice."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    job = typer.Typer(help="The Flink job: start it, stop it with a savepoint, resume it, look at it.")
    for command in (start, stop, savepoint, resume, status):
        job.command(no_args_is_help=False)(command)
    app.add_typer(job, name="job")


def start(  # noqa: PLR0913, PLR0917 (the options of the command)
    namespace: NamespaceOption = "rooms",
    sinks: SinksOption = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="Where in the stream: earliest, latest or a time (ISO 8601 or ms).")
    ] = None,
    savepoint: Annotated[str | None, typer.Option(help="Folder of a savepoint or checkpoint to restore.")] = None,
    parallelism: ParallelismOption = None,
    store_again: StoreAgainOption = False,
    as_json: JsonOption = False,
) -> None:
    """Start the job and wait until all of its tasks run.

    Without --from it begins at the start of the stream, but only if it has never saved a state: starting over stores
    events a second time that are in the lake already, so that has to be asked for.
    """
    from codewave.local import jobs
    from codewave.local.job_properties import job_name
    from codewave.local.namespace import Namespace
    from codewave.local.saved_states import usable_states
    from codewave.local.settings import load_settings

    settings, place, wanted = load_settings(), Namespace(namespace), sinks or _ALL
    name = job_name(place, wanted)
    if from_ is None and savepoint is None and (states := usable_states(settings, namespace, name)):
        raise CodewaveError(
            f"{name}: has a saved state of {_time(states[-1].completed_at)}; continue with `codewave job resume`, or "
            "start over with --from earliest, which stores again what the lake has already"
        )
    with _progress(f"{name}: starting"):
        info = jobs.start_job(
            settings,
            place,
            wanted,
            from_ or "earliest",
            parallelism=parallelism,
            savepoint=savepoint,
            store_again=store_again,
        )
    emit(info, as_json=as_json, show=_show_started)


def resume(  # noqa: PLR0913, PLR0917 (the options of the command)
    namespace: NamespaceOption = "rooms",
    sinks: SinksOption = None,
    from_: Annotated[
        str, typer.Option("--from", help="latest, earliest, a time (the newest state by then) or a state's folder.")
    ] = "latest",
    savepoint: Annotated[str | None, typer.Option(help="The same as --from with a folder.")] = None,
    parallelism: ParallelismOption = None,
    drop_state_of_removed: Annotated[
        bool,
        typer.Option("--drop-state-of-removed", help="Give up what was saved for INSERTs that the job no longer has."),
    ] = False,
    store_again: StoreAgainOption = False,
    as_json: JsonOption = False,
) -> None:
    """Start the job from a saved state: a savepoint or a checkpoint of an earlier run, by default the newest."""
    from codewave.local import jobs
    from codewave.local.job_properties import job_name

    def run(settings: Any, place: Any, wanted: str) -> Any:
        with _progress(f"{job_name(place, wanted)}: resuming"):
            return jobs.resume_job(
                settings,
                place,
                savepoint or from_,
                wanted,
                parallelism,
                drop_state_of_removed=drop_state_of_removed,
                store_again=store_again,
            )

    _each(namespace, sinks, run, as_json=as_json, show=_show_started)


def stop(namespace: NamespaceOption = "rooms", sinks: SinksOption = None, as_json: JsonOption = False) -> None:
    """Stop the job with a savepoint, from which `job resume` continues."""
    from codewave.local import jobs

    _each(namespace, sinks, _savepoint_by(jobs.stop_job, "stopping"), as_json=as_json, show=_show_savepoint)


def savepoint(namespace: NamespaceOption = "rooms", sinks: SinksOption = None, as_json: JsonOption = False) -> None:
    """Take a savepoint; the job runs on."""
    from codewave.local import jobs

    _each(namespace, sinks, _savepoint_by(jobs.savepoint_job, "saving"), as_json=as_json, show=_show_savepoint)


def status(namespace: NamespaceOption = "rooms", as_json: JsonOption = False) -> None:
    """Show the namespace's jobs; exit code 1 unless every one of them runs with all of its tasks."""
    from codewave.local.job_status import job_status
    from codewave.local.namespace import Namespace
    from codewave.local.settings import load_settings

    found = job_status(load_settings(), Namespace(namespace))
    emit(found, as_json=as_json, show=lambda all_: _show_status(all_, namespace))
    if not found or not all(one.state == "RUNNING" and one.tasks_running == one.tasks_total for one in found):
        raise typer.Exit(1)


def _each(
    namespace: str,
    sinks: str | None,
    run: Callable[[Any, Any, str], Any],
    *,
    as_json: bool,
    show: Callable[[Any], None],
) -> None:
    """Do ``run`` for the job of ``sinks``, or for every job of the namespace that was started here."""
    from codewave.local import jobs
    from codewave.local.namespace import Namespace
    from codewave.local.settings import load_settings

    settings, place = load_settings(), Namespace(namespace)
    wanted = [sinks] if sinks else [job.sinks for job in jobs.recorded_jobs(settings, place)]
    if not wanted:
        raise WrongUseError(f"namespace {namespace!r}: no job was started here; start one with `codewave job start`")
    results = [run(settings, place, one) for one in wanted]

    def show_all(shown: list[Any]) -> None:
        for one in shown:
            show(one)

    emit(results, as_json=as_json, show=show_all)


def _savepoint_by(action: Callable[..., str], doing: str) -> Callable[[Any, Any, str], dict[str, str]]:
    from codewave.local.job_properties import job_name

    def run(settings: Any, place: Any, sinks: str) -> dict[str, str]:
        name = job_name(place, sinks)
        with _progress(f"{name}: {doing}"):
            return {"name": name, "savepoint": action(settings, place, sinks)}

    return run


@contextmanager
def _progress(text: str) -> Iterator[None]:
    """Show ``text`` and the seconds that have passed, until the work is done."""
    begin = time.monotonic()
    done = threading.Event()
    with progress_console.status(text) as shown:

        def tick() -> None:
            while not done.wait(1.0):
                shown.update(f"{text} ({time.monotonic() - begin:.0f} s)")

        ticker = threading.Thread(target=tick, daemon=True)
        ticker.start()
        try:
            yield
        finally:
            done.set()
            ticker.join()
    progress_console.print(f"{text}: done after {time.monotonic() - begin:.1f} s")


def _show_started(info: "JobInfo") -> None:
    origin = f" from {info.restored_from}" if info.restored_from else ""
    console.print(f"{info.name} runs ({info.sinks}, parallelism {info.parallelism}){origin}", soft_wrap=True)


def _show_savepoint(result: dict[str, str]) -> None:
    console.print(f"{result['name']}: {result['savepoint']}", soft_wrap=True)


def _show_status(found: "list[JobStatus]", namespace: str) -> None:
    if not found:
        console.print(f"namespace {namespace!r} has no job; start one with `codewave job start`")
    for one in found:
        console.print(f"[bold]{one.name}[/]  {one.state}  ({one.sinks})  {one.tasks_running}/{one.tasks_total} tasks")
        for label, text in _status_lines(one):
            console.print(f"  {label:<13}{text}", markup=False, soft_wrap=True)


def _status_lines(one: "JobStatus") -> Iterator[tuple[str, str]]:
    """What is known of a job, line by line: label and text."""
    yield "up", f"{one.uptime_seconds:,.0f} s, {one.restarts} restarts, id {one.id}"
    yield from _flow_lines(one)
    if one.last_checkpoint:
        last = one.last_checkpoint
        yield "checkpoint", f"{last.id} at {_time(last.completed_at)}, took {last.duration_ms:,} ms"
        yield "state", f"{last.bytes:,} bytes, of which {last.written_bytes:,} with this checkpoint"
    if one.last_failure:
        yield "last failure", printable(one.last_failure)
    if one.state != "RUNNING" and one.resumable_from:
        yield "to go on", f"`codewave job resume` continues from {one.resumable_from}"


def _flow_lines(one: "JobStatus") -> Iterator[tuple[str, str]]:
    """How the stream goes through the job, as far as Flink's metrics tell it yet."""
    if one.behind_ms is not None:
        yield "source", f"{one.behind_ms:,} ms behind the end of the stream"
    if one.delay_ms is not None:
        typical = f"half within {_number(one.delay_median_ms)} ms, 99 % within {_number(one.delay_p99_ms)} ms"
        yield "latency", f"{one.delay_ms:,} ms from arrival to processing of the last record; {typical}"
    if one.records_per_second is not None:
        events = "" if one.events_per_second is None else f", {one.events_per_second:,} events/s"
        yield "throughput", f"{one.records_per_second:,} records/s{events}, over the last minute"
    if one.isolated is not None:
        yield "isolated", f"{one.isolated:,} that broke the job's code" + (_LOOK if one.isolated else "")
    if one.state == "RUNNING" and one.behind_ms is None:
        yield "flow", "not known yet; ask again in a few seconds"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,}"


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
