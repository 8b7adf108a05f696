"""Nothing is lost, doubled or reordered, whatever is killed, and in three jobs side by side as in one."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from system_proof import assert_stored_exactly, options, trace
from system_waiting import wait_until

from codewave.faults.load import Load
from codewave.lake.reconcile import reconcile
from codewave.local import flink, processes
from codewave.local.job_status import job_status
from codewave.local.jobs import cancel_job, resume_job, start_job
from codewave.local.namespace import Namespace
from codewave.local.reset import create_namespace
from codewave.local.settings import LocalSettings
from codewave.run.play import play
from codewave.workload.options import options_for
from codewave.workload.truth import Truth
from iceberg.engine import local_engine

pytestmark = pytest.mark.system

TABLES = ("document_operations", "presence_events", "chat_messages", "execution_events", "execution_logs")


def play_while(settings: LocalSettings, namespace: Namespace, act: Callable[[], object]) -> Truth:
    """Play a trace and rooms; once a third of it is sent, ``act`` beside it."""
    load = Load(settings, namespace, options(), trace())
    load.wait_for_share(1 / 3)
    act()
    return load.finish()


def kill(settings: LocalSettings, name: str) -> None:
    pid = processes.running_pid(settings, name)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_a_task_manager_killed_under_load_changes_nothing(
    shared_stack: LocalSettings, fresh_namespace: Namespace
) -> None:
    start_job(shared_stack, fresh_namespace, parallelism=3)

    truth = play_while(shared_stack, fresh_namespace, lambda: flink.kill_task_manager(shared_stack, 0))
    assert_stored_exactly(shared_stack, fresh_namespace, truth)
    # The cluster reports it up to ten seconds later.
    wait_until(lambda: job_status(shared_stack, fresh_namespace)[0].restarts > 0, "the job is known to have restarted")


def test_the_whole_cluster_killed_under_load_and_resumed_changes_nothing(
    shared_stack: LocalSettings, fresh_namespace: Namespace
) -> None:
    start_job(shared_stack, fresh_namespace, parallelism=3)

    def kill_all_and_resume() -> None:
        wait_until(lambda: _has_stored(shared_stack, fresh_namespace), "a checkpoint with events")
        for name in ("flink-jobmanager", *(f"flink-taskmanager-{index}" for index in range(3))):
            kill(shared_stack, name)
        resume_job(shared_stack, fresh_namespace, parallelism=2)

    truth = play_while(shared_stack, fresh_namespace, kill_all_and_resume)
    assert_stored_exactly(shared_stack, fresh_namespace, truth)


def _has_stored(settings: LocalSettings, namespace: Namespace) -> bool:
    return reconcile(settings, namespace.name).stored > 0


def test_a_job_cancelled_while_python_starts_can_be_started_again_in_the_same_processes(
    shared_stack: LocalSettings, fresh_namespace: Namespace
) -> None:
    flink.restart_task_managers(shared_stack)
    pids = flink.task_manager_pids(shared_stack)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(start_job, shared_stack, fresh_namespace, parallelism=3)
        while not first.done() and not any(_starts_python(pid) for pid in pids):
            time.sleep(0.005)
        cancel_job(shared_stack, fresh_namespace)
        assert first.exception() is not None  # its tasks were cancelled before they ran

    few = options_for(traces=0, rooms=4, seconds=5, rate=200, seed=7)
    truth = play(shared_stack, fresh_namespace, [], few)
    start_job(shared_stack, fresh_namespace, parallelism=3)
    assert flink.task_manager_pids(shared_stack) == pids
    assert_stored_exactly(shared_stack, fresh_namespace, truth)


def _starts_python(pid: int) -> bool:
    """Whether a process has begun to start its interpreter, by the thread that does; the kernel keeps 15 characters."""
    for name in Path(f"/proc/{pid}/task").glob("*/comm"):
        with suppress(OSError):  # a thread that has just ended
            if name.read_text() == "PemJaMainInterp\n":
                return True
    return False


def test_three_jobs_side_by_side_store_the_same_as_one(shared_stack: LocalSettings, fresh_namespace: Namespace) -> None:
    chosen = options(seconds=20, rate=0)
    history = trace()
    together = Namespace(fresh_namespace.name + "_one")
    create_namespace(shared_stack, together)
    for sink in ("raw", "lake", "search"):
        start_job(shared_stack, fresh_namespace, sink, parallelism=1)
    apart_truth = play(shared_stack, fresh_namespace, history, chosen)
    assert_stored_exactly(shared_stack, fresh_namespace, apart_truth)
    for sink in ("raw", "lake", "search"):
        cancel_job(shared_stack, fresh_namespace, sink)

    start_job(shared_stack, together, parallelism=2)
    together_truth = play(shared_stack, together, history, chosen)
    assert_stored_exactly(shared_stack, together, together_truth)
    cancel_job(shared_stack, together)
    for table in TABLES:
        assert _rows(shared_stack, fresh_namespace, table) == _rows(shared_stack, together, table)
    assert _archived(shared_stack, fresh_namespace) > 0


def _rows(settings: LocalSettings, namespace: Namespace, table: str) -> list[list[object]]:
    """What is stored, leaving out when it was received and whether it came late: two sendings differ in those."""
    sql = f"SELECT event_id, type, ordering_key, sequence, user_id, occurred_at FROM {table} ORDER BY event_id"
    return local_engine(settings, namespace.name).query(sql).rows


def _archived(settings: LocalSettings, namespace: Namespace) -> int:
    return int(local_engine(settings, namespace.name).query("SELECT count(*) FROM raw_records").rows[0][0])
