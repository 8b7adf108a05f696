"""Faults of the job's own processes: killed, frozen, saved and resumed, run by another number of subtasks."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from codewave.errors import CodewaveError
from codewave.faults.fault import Fault, Scene
from codewave.faults.waiting import wait_until
from codewave.local import flink, processes
from codewave.local.flink_rest import FlinkRest
from codewave.local.jobs import JobInfo, cancel_job, recorded_jobs, resume_job, start_job, stop_job
from codewave.local.saved_states import usable_states

DEADLINE_S: Final = 180.0
"""So long an operator tries to get the job to run, or to be saved, before it counts as broken."""
_FREEZE_S: Final = 20.0
"""Longer than Flink's heartbeat timeout of 8 s: the JobManager gives the process up, and then it wakes."""
RESUME_S: Final = 40.0
"""Stopping, submitting and starting the job on two cores."""
_POLL_S: Final = 0.2
_AGAIN_S: Final = 2.0
_ENDED: Final = frozenset({"FINISHED", "CANCELED", "FAILED"})
_GONE: Final = "GONE"

_Result = TypeVar("_Result")


def task_manager_killed(scene: Scene, _seconds: float) -> str:
    """Kill one TaskManager with SIGKILL; the supervisor replaces it."""
    index = scene.random.randrange(scene.settings.task_managers)
    _kill_task_managers(scene, [index])
    return f"killed TaskManager {index}"


def all_task_managers_killed(scene: Scene, _seconds: float) -> str:
    """Kill every TaskManager with SIGKILL; the supervisor replaces them."""
    _kill_task_managers(scene, list(range(scene.settings.task_managers)))
    return f"killed all {scene.settings.task_managers} TaskManagers"


def job_manager_killed(scene: Scene, _seconds: float) -> str:
    """Kill the JobManager alone with SIGKILL, and bring the job back as an operator does."""
    _kill_job_manager(scene)
    return f"killed the JobManager; {bring_back(scene)}"


def cluster_killed(scene: Scene, _seconds: float) -> str:
    """Kill the JobManager and every TaskManager with SIGKILL, and bring the job back as an operator does."""
    _kill_job_manager(scene)
    for pid in flink.task_manager_pids(scene.settings):
        _send(pid, signal.SIGKILL)
    return f"killed the whole cluster; {bring_back(scene)}"


def task_manager_frozen(scene: Scene, seconds: float) -> str:
    """Stop a TaskManager's process with SIGSTOP, and let it go on: it wakes in a cluster that has given it up."""
    index = scene.random.randrange(scene.settings.task_managers)
    _wait(lambda: _runs(scene, index), f"TaskManager {index} does not run")
    pid = flink.task_manager_pid(scene.settings, index)
    _send(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        _send(pid, signal.SIGCONT)
    return f"froze TaskManager {index}"


def stopped_and_resumed(scene: Scene, _seconds: float) -> str:
    """Stop the job with a savepoint and resume it."""
    parallelism = last_start(scene).parallelism
    stop(scene)
    resume(scene, parallelism)
    return "stopped with a savepoint and resumed"


def rescaled(scene: Scene, _seconds: float) -> str:
    """Stop the job with a savepoint and resume it with another number of subtasks."""
    before = last_start(scene).parallelism
    others = [count for count in range(1, scene.settings.task_managers + 1) if count != before]
    after = scene.random.choice(others or [before])
    stop(scene)
    resume(scene, after)
    return f"parallelism {before} to {after}"


def last_start(scene: Scene) -> JobInfo:
    """The scene's job as it was started last.

    :raises CodewaveError: if it never was.
    """
    jobs = recorded_jobs(scene.settings, scene.namespace)
    if not jobs:
        raise CodewaveError(f"{scene.namespace.job()}: was never started")
    return jobs[-1]


def job_state(scene: Scene) -> str:
    """Flink's word for what the job does; ``GONE`` where the cluster does not know it or does not answer."""
    rest = FlinkRest(scene.settings.flink_url)
    name = scene.namespace.job()
    try:
        states = [str(job["state"]) for job in rest.jobs() if job["name"] == name]
    except CodewaveError:
        return _GONE
    return next((state for state in states if state not in _ENDED), states[0] if states else _GONE)


def is_gone(scene: Scene) -> bool:
    """Whether the job has ended, or its cluster has, so that it does not come back by itself."""
    return job_state(scene) in _ENDED | {_GONE}


def bring_back(scene: Scene) -> str:
    """Resume the job from its newest saved state if it is gone; start it over where it has none.

    :returns: what was done, in words.
    :raises CodewaveError: if it can't be brought back in time.
    """
    if not is_gone(scene):
        return "the job runs on"
    info = last_start(scene)
    if usable_states(scene.settings, scene.namespace.name, info.name):
        resume(scene, info.parallelism)
        return "resumed from the last checkpoint"
    # Nothing is committed before the first checkpoint, so nothing is stored twice.
    _insist(lambda: _start_over(scene, info.parallelism))
    return "started over, as it had no checkpoint yet"


def resume(scene: Scene, parallelism: int) -> JobInfo:
    """Resume the job from its newest saved state; what fails in passing is tried again."""

    def act() -> JobInfo:
        # An attempt that failed half-way may have left a job behind.
        cancel_job(scene.settings, scene.namespace)
        overrides = scene.proxies.overrides
        return resume_job(scene.settings, scene.namespace, parallelism=parallelism, overrides=overrides)

    flink.start_cluster(scene.settings)
    return _insist(act)


def stop(scene: Scene) -> None:
    """Stop the job with a savepoint; one that is restarting is waited for."""

    def act() -> None:
        if not is_gone(scene):
            stop_job(scene.settings, scene.namespace)

    _insist(act)


def _start_over(scene: Scene, parallelism: int) -> None:
    flink.start_cluster(scene.settings)
    cancel_job(scene.settings, scene.namespace)
    start_job(scene.settings, scene.namespace, parallelism=parallelism, overrides=scene.proxies.overrides)


def _kill_task_managers(scene: Scene, indices: list[int]) -> None:
    for index in indices:
        _wait(lambda: _runs(scene, index), f"TaskManager {index} does not run")  # noqa: B023 - called at once
    for index in indices:
        # One that has just died by itself is as dead as we want it.
        with suppress(CodewaveError):
            flink.kill_task_manager(scene.settings, index)
    for index in indices:
        _wait(lambda: _runs(scene, index), f"TaskManager {index} was not replaced")  # noqa: B023 - called at once


def _kill_job_manager(scene: Scene) -> None:
    _send(processes.running_pid(scene.settings, flink.JOB_MANAGER), signal.SIGKILL)
    _wait(
        lambda: processes.running_pid(scene.settings, flink.JOB_MANAGER) is None, "the JobManager was killed and runs"
    )


def _runs(scene: Scene, index: int) -> bool:
    return flink.task_manager_pid(scene.settings, index) is not None


def _send(pid: int | None, number: int) -> None:
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _wait(done: Callable[[], bool], otherwise: str) -> None:
    wait_until(done, DEADLINE_S, f"faults: {otherwise} after", _POLL_S)


def _insist(act: Callable[[], _Result]) -> _Result:
    """Do it, again and again while it fails, as an operator would: the job may be restarting just then."""
    give_up = time.monotonic() + DEADLINE_S
    while True:
        try:
            return act()
        except CodewaveError:
            if time.monotonic() > give_up:
                raise
        time.sleep(_AGAIN_S)


PROCESS_FAULTS: Final = (
    Fault(
        name="kill-task-manager",
        summary="kill -9 of one TaskManager; the supervisor replaces it",
        strike=task_manager_killed,
    ),
    Fault(
        name="kill-all-task-managers",
        summary="kill -9 of every TaskManager; the supervisor replaces them",
        strike=all_task_managers_killed,
    ),
    Fault(
        name="kill-job-manager",
        summary="kill -9 of the JobManager alone; the job is resumed from its last checkpoint",
        strike=job_manager_killed,
        takes_s=RESUME_S,
    ),
    Fault(
        name="kill-cluster",
        summary="kill -9 of the JobManager and every TaskManager; the job is resumed from its last checkpoint",
        strike=cluster_killed,
        takes_s=RESUME_S,
    ),
    Fault(
        name="freeze-task-manager",
        summary="a TaskManager stands still, is given up, and wakes again",
        strike=task_manager_frozen,
        longest_s=_FREEZE_S,
    ),
    Fault(
        name="stop-and-resume",
        summary="the job is stopped with a savepoint and resumed",
        strike=stopped_and_resumed,
        takes_s=RESUME_S,
    ),
    Fault(
        name="rescale",
        summary="the job is stopped with a savepoint and resumed with another parallelism",
        strike=rescaled,
        takes_s=RESUME_S,
    ),
)
