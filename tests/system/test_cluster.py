"""The real local cluster: processes are killed, and the job goes on where its last checkpoint left it."""

import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codewave.errors import CodewaveError
from codewave.local import flink, jobs, processes
from codewave.local.flink_rest import FlinkRest
from codewave.local.job_status import JobStatus, job_status
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings

pytestmark = pytest.mark.system

PROBE = Path(__file__).parent / "probe_job.py"
NAMESPACE = Namespace("probe")
SINKS = "raw"
DEADLINE_S = 90.0


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSettings]:
    """Settings of a cluster of its own, which runs until the module's tests are done."""
    chosen = LocalSettings(
        port_offset=_free_offset(), data_folder=str(tmp_path_factory.mktemp("cluster")), checkpoint_interval_ms=1_000
    )
    flink.start_cluster(chosen)
    yield chosen
    flink.stop_cluster(chosen)


@pytest.fixture
def output(settings: LocalSettings) -> Iterator[Path]:
    """Folder that a running probe job writes to; the job is gone afterwards."""
    folder = settings.data / "output" / str(time.monotonic_ns())
    jobs.start_job(settings, NAMESPACE, SINKS, overrides={"output": str(folder)}, main=PROBE)
    wait_until(lambda: len(rows(folder)) > 100, "the first rows")
    yield folder
    if flink.cluster_status(settings).running:
        jobs.cancel_job(settings, NAMESPACE, SINKS)


def test_a_job_goes_on_exactly_where_it_was_after_a_task_manager_was_killed(
    settings: LocalSettings, output: Path
) -> None:
    killed = flink.kill_task_manager(settings, 0)
    wait_until(lambda: status(settings).restarts > 0 and runs(settings), "the restart")
    assert killed not in flink.task_manager_pids(settings)

    assert_goes_on(output)


def test_a_job_resumes_from_its_last_checkpoint_after_the_whole_cluster_was_killed(
    settings: LocalSettings, output: Path
) -> None:
    first = status(settings).id
    kill_everything(settings)
    assert status(settings).state == "GONE"

    resumed = jobs.resume_job(settings, NAMESPACE, sinks=SINKS, overrides={"output": str(output)}, main=PROBE)

    assert first in str(resumed.restored_from)
    assert_goes_on(output)


def test_a_stopped_job_resumes_from_its_savepoint_with_another_parallelism(
    settings: LocalSettings, output: Path
) -> None:
    savepoint = jobs.stop_job(settings, NAMESPACE, SINKS)
    assert status(settings).state == "FINISHED"

    resumed = jobs.resume_job(
        settings, NAMESPACE, sinks=SINKS, parallelism=1, overrides={"output": str(output)}, main=PROBE
    )

    assert (resumed.restored_from, resumed.parallelism) == (savepoint, 1)
    assert_goes_on(output)


def test_a_job_that_runs_is_not_started_again(settings: LocalSettings, output: Path) -> None:
    with pytest.raises(CodewaveError, match="runs already"):
        jobs.start_job(settings, NAMESPACE, SINKS, overrides={"output": str(output)}, main=PROBE)


def test_a_job_that_cannot_start_is_reported_with_its_cause_and_cancelled(settings: LocalSettings) -> None:
    overrides = {"output": str(settings.data / "none"), "fail": "no such table"}

    with pytest.raises(CodewaveError, match=r"did not start: .*no such table"):
        jobs.start_job(settings, NAMESPACE, SINKS, overrides=overrides, main=PROBE)

    wait_until(lambda: flink.cluster_status(settings).slots_free == settings.task_managers, "free slots")


def test_changed_code_runs_in_new_task_manager_processes(
    settings: LocalSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = flink.task_manager_pids(settings)
    changed = settings.data / "changed" / "0123"
    changed.mkdir(parents=True)
    monkeypatch.setattr(jobs, "copy_code", lambda _folder, _root: changed)

    jobs.start_job(settings, NAMESPACE, SINKS, overrides={"output": str(settings.data / "other")}, main=PROBE)
    jobs.cancel_job(settings, NAMESPACE, SINKS)

    assert flink.task_manager_pids(settings).isdisjoint(before)


def test_every_listener_of_the_cluster_is_on_loopback(settings: LocalSettings) -> None:
    import psutil

    pids = flink.task_manager_pids(settings) | {flink.cluster_status(settings).job_manager_pid}
    listening = [c for pid in pids for c in psutil.Process(pid).net_connections() if c.status == psutil.CONN_LISTEN]

    assert len(listening) > len(pids)
    assert {connection.laddr.ip.removeprefix("::ffff:") for connection in listening} == {"127.0.0.1"}


def assert_goes_on(output: Path) -> None:
    """Every key's counts are 1, 2, 3, …, each written once: nothing was lost, repeated or forgotten."""
    before = len(rows(output))
    wait_until(lambda: len(rows(output)) > before + 100, "more rows")
    counts = defaultdict(list)
    for key, count in rows(output):
        counts[key].append(count)
    assert len(counts) == 10
    assert {key: sorted(seen) for key, seen in counts.items()} == {
        k: list(range(1, len(s) + 1)) for k, s in counts.items()
    }


def rows(output: Path) -> list[tuple[int, int]]:
    """Rows of the files that a checkpoint completed; Flink hides the others behind a dot."""
    files = [file for file in output.glob("*") if not file.name.startswith(".")]
    return [
        (int(key), int(count))
        for file in files
        for key, count in [line.split(",") for line in file.read_text().split()]
    ]


def status(settings: LocalSettings) -> JobStatus:
    return job_status(settings, NAMESPACE)[0]


def runs(settings: LocalSettings) -> bool:
    now = status(settings)
    return now.state == "RUNNING" and now.tasks_running == now.tasks_total


def kill_everything(settings: LocalSettings) -> None:
    now = flink.cluster_status(settings)
    assert now.job_manager_pid is not None
    # The JobManager first: without one, nothing replaces the others.
    for pid in (now.job_manager_pid, *flink.task_manager_pids(settings)):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: processes.running_pid(settings, flink.JOB_MANAGER) is None, "the cluster's end")
    wait_until(lambda: not flink.task_manager_pids(settings), "the TaskManagers' end")
    assert not FlinkRest(settings.flink_url).answers()


def wait_until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not done():
        assert time.monotonic() < deadline, f"waited {DEADLINE_S:.0f} s for {what}"
        time.sleep(0.2)


def _free_offset() -> int:
    for offset in range(11_000, 40_000, 1_000):
        try:
            processes.check_ports(LocalSettings(port_offset=offset), ("flink", "flink_rpc", "flink_blob"))
        except CodewaveError:
            continue
        return offset
    raise AssertionError("no free ports")
