"""The room_events job on the local cluster: start, stop, savepoint and resume."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from codewave.errors import CodewaveError
from codewave.local import flink, toolchain
from codewave.local.committed import refuse_older_state
from codewave.local.flink_rest import FlinkRest
from codewave.local.job_code import MAIN, CodeInProcesses, copy_code, is_stale, job_folder, read_record, write_record
from codewave.local.job_properties import ALL_SINKS, job_name, job_properties, write_properties
from codewave.local.namespace import Namespace
from codewave.local.opensearch import search_answers, search_url
from codewave.local.saved_states import choose_state, forget_old_runs, savepoint_folder
from codewave.local.settings import PROJECT_ROOT, LocalSettings
from codewave.local.submission import Launch, root_cause, submit
from iceberg.lineage.runs import tell_stream_job

_RUN_DEADLINE_S: Final = 120.0
_SAVEPOINT_DEADLINE_S: Final = 120.0
_END_DEADLINE_S: Final = 60.0
_SLOTS_DEADLINE_S: Final = 15.0
_POLL_S: Final = 0.2
_FAILURES_AT_START: Final = 3
"""A job that fails this often before it runs is given up: its cause does not pass by itself."""

_ENDED: Final = frozenset({"FINISHED", "CANCELED", "FAILED"})


class JobInfo(Struct, frozen=True, kw_only=True):
    """A job as it was started last; kept beside its properties."""

    name: str
    id: str
    namespace: str
    sinks: str
    parallelism: int
    code: str
    """Hash of the code that it runs."""
    restored_from: str | None = None
    started_at: int
    """Milliseconds since epoch."""
    submit_seconds: float
    run_seconds: float
    """From the submission until every task ran."""


def start_job(  # noqa: PLR0913, PLR0917 (the options of the command)
    settings: LocalSettings,
    namespace: Namespace,
    sinks: str = ALL_SINKS,
    start_from: str = "earliest",
    parallelism: int | None = None,
    overrides: dict[str, str] | None = None,
    savepoint: str | None = None,
    *,
    drop_state_of_removed: bool = False,
    store_again: bool = False,
    main: Path | None = None,
    root: Path = PROJECT_ROOT,
) -> JobInfo:
    """Start the job and wait until all of its tasks run.

    :param start_from: where to begin in the stream where no savepoint is given: ``earliest``, ``latest`` or a time.
    :param overrides: properties of the job that replace or add to the local ones.
    :param savepoint: folder of a savepoint or retained checkpoint to restore.
    :param drop_state_of_removed: give up what the savepoint holds for INSERTs that the job no longer has.
    :param store_again: restore a state that the lake has gone on from; what came after it is then stored twice.
    :param main: another entry point than the job's own; for tests of the cluster.
    :param root: where the job's code is; for tests of code that has changed.
    :raises CodewaveError: if the job runs already, there are too few slots, or it fails, with the cause and the log.
    """
    name = job_name(namespace, sinks)
    rest = FlinkRest(settings.flink_url)
    if main is None:
        toolchain.connectors_jar(settings)
        _require_search(settings, sinks)
        if savepoint and not store_again:
            refuse_older_state(settings, namespace, sinks, Path(savepoint.removeprefix("file:")))
    if _running_id(rest, name):
        raise CodewaveError(f"{name}: runs already; stop it first with `codewave job stop`")
    properties = job_properties(settings, namespace, sinks, start_from) | (overrides or {})
    code = copy_code(job_folder(settings, name) / "code", root)
    _unload_changed_code(settings, rest, code.name)
    launch = Launch(
        namespace=namespace,
        sinks=sinks,
        parallelism=parallelism or settings.parallelism,
        code=code,
        savepoint=savepoint,
        main=main or code / MAIN,
        drop_state_of_removed=drop_state_of_removed,
    )
    _wait_for_slots(rest, name, launch.parallelism)
    info = _start(settings, launch, properties)
    if main is None:
        tell_stream_job(settings.data / "lake", namespace, sinks, info.id, "START")
    return info


def resume_job(  # noqa: PLR0913, PLR0917 (the options of the command)
    settings: LocalSettings,
    namespace: Namespace,
    from_: str = "latest",
    sinks: str = ALL_SINKS,
    parallelism: int | None = None,
    overrides: dict[str, str] | None = None,
    *,
    drop_state_of_removed: bool = False,
    store_again: bool = False,
    main: Path | None = None,
    root: Path = PROJECT_ROOT,
) -> JobInfo:
    """Start the job from a saved state of an earlier run, with the code and settings of now.

    A cluster that is gone is started first.

    :param from_: ``latest``, ``earliest``, a time (the newest state completed by then) or a state's folder.
    :param drop_state_of_removed: as for ``start_job``; so are ``store_again`` and ``root``.
    :raises CodewaveError: as ``start_job``, and if there is no such state.
    """
    name = job_name(namespace, sinks)
    state = choose_state(settings, namespace.name, name, from_)
    flink.start_cluster(settings)
    forget_old_runs(settings, name, keep=state.path)
    return start_job(
        settings,
        namespace,
        sinks,
        "earliest",
        parallelism,
        overrides,
        str(state.path),
        drop_state_of_removed=drop_state_of_removed,
        store_again=store_again,
        main=main,
        root=root,
    )


def stop_job(settings: LocalSettings, namespace: Namespace, sinks: str = ALL_SINKS) -> str:
    """Stop the job with a savepoint; returns the savepoint's folder.

    :raises CodewaveError: if it does not run, or the savepoint fails (the job then runs on).
    """
    name = job_name(namespace, sinks)
    rest = FlinkRest(settings.flink_url)
    job_id = _require_running(rest, name)
    request = rest.stop(job_id, savepoint_folder(settings, name).as_uri())
    folder = _finish_savepoint(rest, name, job_id, request)
    _wait_for_end(rest, name, job_id)
    tell_stream_job(settings.data / "lake", namespace, sinks, job_id, "COMPLETE")
    return folder


def savepoint_job(settings: LocalSettings, namespace: Namespace, sinks: str = ALL_SINKS) -> str:
    """Take a savepoint while the job runs on; returns its folder."""
    name = job_name(namespace, sinks)
    rest = FlinkRest(settings.flink_url)
    job_id = _require_running(rest, name)
    request = rest.savepoint(job_id, savepoint_folder(settings, name).as_uri())
    return _finish_savepoint(rest, name, job_id, request)


def cancel_job(settings: LocalSettings, namespace: Namespace, sinks: str = ALL_SINKS) -> None:
    """End the job without a savepoint; its retained checkpoints stay. Nothing happens if it does not run."""
    name = job_name(namespace, sinks)
    rest = FlinkRest(settings.flink_url)
    if job_id := _running_id(rest, name):
        rest.cancel(job_id)
        _wait_for_end(rest, name, job_id)
        tell_stream_job(settings.data / "lake", namespace, sinks, job_id, "ABORT")


def recorded_jobs(settings: LocalSettings, namespace: Namespace) -> list[JobInfo]:
    """Return the jobs of a namespace that were started on this machine, as they were started last."""
    files = sorted((settings.data / "jobs").glob("*/job.json"))
    jobs = [msgspec.json.decode(file.read_bytes(), type=JobInfo) for file in files]
    return [job for job in jobs if job.namespace == namespace.name]


def _start(settings: LocalSettings, launch: Launch, properties: dict[str, str]) -> JobInfo:
    folder = job_folder(settings, launch.name)
    file = folder / "application_properties.json"
    write_properties(file, properties)
    begin = time.monotonic()
    job_id = submit(settings, launch, file)
    submitted = time.monotonic()
    _wait_until_running(settings, launch.name, job_id)
    info = JobInfo(
        name=launch.name,
        id=job_id,
        namespace=launch.namespace.name,
        sinks=launch.sinks,
        parallelism=launch.parallelism,
        code=launch.code.name,
        restored_from=launch.savepoint,
        started_at=time.time_ns() // 1_000_000,
        submit_seconds=round(submitted - begin, 1),
        run_seconds=round(time.monotonic() - submitted, 1),
    )
    (folder / "job.json").write_bytes(msgspec.json.encode(info))
    return info


def _wait_until_running(settings: LocalSettings, name: str, job_id: str) -> None:
    """Wait until every task runs; a job that cannot is cancelled, so that starting is all or nothing."""
    rest = FlinkRest(settings.flink_url)
    deadline = time.monotonic() + _RUN_DEADLINE_S
    while True:
        job = rest.job(job_id)
        running, total = count_tasks(job)
        if job["state"] == "RUNNING" and running == total:
            return
        failures = rest.exceptions(job_id)
        late = time.monotonic() > deadline
        if job["state"] in _ENDED or len(failures) >= _FAILURES_AT_START or late:
            break
        time.sleep(_POLL_S)
    if job["state"] not in _ENDED:
        rest.cancel(job_id)
    cause = root_cause(str(failures[0]["stacktrace"])) if failures else f"{running} of {total} tasks run"
    raise CodewaveError(f"{name}: did not start: {cause}; see {flink.log_file(settings, flink.JOB_MANAGER)}")


def count_tasks(job: dict[str, Any]) -> tuple[int, int]:
    """How many tasks of a job run or are done, and how many it has.

    :param job: as Flink's REST interface tells it.
    """
    counts = [vertex["tasks"] for vertex in job["vertices"]]
    running = sum(count["RUNNING"] + count["FINISHED"] for count in counts)
    return running, sum(vertex["parallelism"] for vertex in job["vertices"])


def _unload_changed_code(settings: LocalSettings, rest: FlinkRest, code: str) -> None:
    """Restart the processes that hold other code than the job's: neither Python nor Java loads a module twice."""
    folder = flink.flink_folder(settings)
    other_jar = flink.connectors_changed(settings)
    if other_jar or is_stale(read_record(folder), code, flink.task_manager_pids(settings)):
        others = [str(job["name"]) for job in rest.jobs() if job["state"] not in _ENDED]
        if others:
            raise CodewaveError(
                f"room_events: the code has changed since {', '.join(others)} started, and jobs share what is loaded; "
                "stop it first with `codewave job stop`"
            )
        if other_jar:
            flink.stop_cluster(settings)
            flink.start_cluster(settings)
        else:
            flink.restart_task_managers(settings)
    write_record(folder, CodeInProcesses(code, frozenset(flink.task_manager_pids(settings))))


def _require_search(settings: LocalSettings, sinks: str) -> None:
    if "search" in sinks.split(",") and not search_answers(settings):
        raise CodewaveError(
            f"opensearch: no answer at {search_url(settings)}; start the stack with `codewave up`, or the job "
            "without it (--sinks raw,lake)"
        )


def _wait_for_slots(rest: FlinkRest, name: str, wanted: int) -> None:
    free = 0

    def enough() -> bool:
        nonlocal free
        free = rest.overview()["slots-available"]
        return bool(free >= wanted)

    if not _poll(enough, _SLOTS_DEADLINE_S):
        raise CodewaveError(
            f"{name}: needs {wanted} slots and {free} are free; stop another job, or raise the setting task_managers "
            "and run `codewave up`"
        )


def _finish_savepoint(rest: FlinkRest, name: str, job_id: str, request: str) -> str:
    answer: dict[str, Any] = {}

    def complete() -> bool:
        answer.update(rest.savepoint_request(job_id, request))
        return str(answer["status"]["id"]) == "COMPLETED"

    if not _poll(complete, _SAVEPOINT_DEADLINE_S):
        raise CodewaveError(f"{name}: the savepoint took more than {_SAVEPOINT_DEADLINE_S:.0f} s; see `job status`")
    operation = answer["operation"]
    if "location" not in operation:
        cause = root_cause(str(operation["failure-cause"]["stack-trace"]))
        raise CodewaveError(f"{name}: the savepoint failed: {cause}; see `codewave job status`")
    return str(operation["location"]).removeprefix("file:")


def _wait_for_end(rest: FlinkRest, name: str, job_id: str) -> None:
    if not _poll(lambda: rest.job(job_id)["state"] in _ENDED, _END_DEADLINE_S):
        raise CodewaveError(f"{name}: did not end in {_END_DEADLINE_S:.0f} s; see `codewave job status`")


def _poll(done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _running_id(rest: FlinkRest, name: str) -> str | None:
    running = [str(job["jid"]) for job in rest.jobs() if job["name"] == name and job["state"] not in _ENDED]
    return running[0] if running else None


def _require_running(rest: FlinkRest, name: str) -> str:
    job_id = _running_id(rest, name)
    if job_id is None:
        raise CodewaveError(f"{name}: does not run; `codewave job status` lists what does")
    return job_id
