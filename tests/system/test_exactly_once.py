"""Nothing is lost, doubled or reordered, whatever is killed, and in three jobs side by side as in one."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from system_waiting import wait_until

from codewave.cli.play import play
from codewave.lake.reconcile import Reconciliation, reconcile
from codewave.local import flink, processes
from codewave.local.jobs import cancel_job, job_status, resume_job, start_job
from codewave.local.namespace import Namespace
from codewave.local.reset import create_namespace
from codewave.local.settings import LocalSettings
from codewave.run.report import report_on
from codewave.run.settle import wait_until_stored
from codewave.workload.options import WorkloadOptions, options_for
from codewave.workload.traces import read_trace
from codewave.workload.truth import Truth
from iceberg.engine import local_engine

pytestmark = pytest.mark.system

TRACE = Path(__file__).parents[1] / "workload" / "traces" / "clownschool_flat.json.gz"
CHAOS = "duplicate=0.05 reorder=0.05 malformed=0.01 corrupt=0.001 oversized=0.001"
TABLES = ("document_operations", "presence_events", "chat_messages", "execution_events", "execution_logs")


def options(seconds: int = 30, rate: float = 1500) -> WorkloadOptions:
    return options_for(traces=1, rooms=4, seconds=seconds, rate=rate, seed=7, chaos=CHAOS)


def play_while(
    settings: LocalSettings, namespace: Namespace, chosen: WorkloadOptions, act: Callable[[], object]
) -> Truth:
    """Play a trace and rooms; once a third of it is sent, ``act`` beside it."""
    reached = threading.Event()
    played: list[Truth] = []

    def progress(sent: int, expected: int) -> None:
        if sent > expected / 3:
            reached.set()

    def send() -> None:
        played.append(play(settings, namespace, [read_trace(TRACE)], chosen, progress))

    player = threading.Thread(target=send, daemon=True)
    player.start()
    assert reached.wait(120), "a third of the events was not sent"
    act()
    player.join(300)
    return played[0]


def assert_stored_exactly(settings: LocalSettings, namespace: Namespace, truth: Truth) -> None:
    result: Reconciliation = wait_until_stored(settings, namespace, truth, lambda _: None)
    report = report_on(settings, namespace, truth, result)
    assert report.problems == []
    assert (report.closes, report.difference, report.stored) == (True, 0, truth.events)
    assert report.documents_verified == len(truth.documents)


def kill(settings: LocalSettings, name: str) -> None:
    pid = processes.running_pid(settings, name)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_a_task_manager_killed_under_load_changes_nothing(
    shared_stack: LocalSettings, fresh_namespace: Namespace
) -> None:
    start_job(shared_stack, fresh_namespace, parallelism=3)

    truth = play_while(shared_stack, fresh_namespace, options(), lambda: flink.kill_task_manager(shared_stack, 0))
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

    truth = play_while(shared_stack, fresh_namespace, options(), kill_all_and_resume)
    assert_stored_exactly(shared_stack, fresh_namespace, truth)


def _has_stored(settings: LocalSettings, namespace: Namespace) -> bool:
    return reconcile(settings, namespace.name).stored > 0


def test_three_jobs_side_by_side_store_the_same_as_one(shared_stack: LocalSettings, fresh_namespace: Namespace) -> None:
    chosen = options(seconds=20, rate=0)
    trace = [read_trace(TRACE)]
    together = Namespace(fresh_namespace.name + "_one")
    create_namespace(shared_stack, together)
    for sink in ("raw", "lake", "search"):
        start_job(shared_stack, fresh_namespace, sink, parallelism=1)
    apart_truth = play(shared_stack, fresh_namespace, trace, chosen)
    assert_stored_exactly(shared_stack, fresh_namespace, apart_truth)
    for sink in ("raw", "lake", "search"):
        cancel_job(shared_stack, fresh_namespace, sink)

    start_job(shared_stack, together, parallelism=2)
    together_truth = play(shared_stack, together, trace, chosen)
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
