"""The catalog locked, commits lost, sent twice or late, checkpoints that can't be written: the lake stays exact."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from system_proof import assert_stored_exactly, options, trace
from system_waiting import wait_until

from codewave.errors import CodewaveError
from codewave.faults import catalog, checkpoints
from codewave.faults.fault import Scene
from codewave.faults.load import Load
from codewave.faults.processes import bring_back
from codewave.lake.reconcile import reconcile
from codewave.local.flink_rest import FlinkRest
from codewave.local.job_status import job_status
from codewave.local.jobs import cancel_job, recorded_jobs, resume_job
from codewave.local.saved_states import checkpoint_folder, saved_states

pytestmark = pytest.mark.system

NEVER_MS = 3_600_000
LOCK_S = 30.0
FULL_S = 15.0


def start_load(scene: Scene) -> Load:
    """Send a trace and rooms, and wait until something of it is committed."""
    load = Load(scene.settings, scene.namespace, options(seconds=20, rate=1000), trace())
    wait_until(lambda: reconcile(scene.settings, scene.namespace.name).stored > 0, "the first events are stored")
    return load


def counts(scene: Scene) -> dict[str, int]:
    """How many checkpoints of the running job completed and failed."""
    job = recorded_jobs(scene.settings, scene.namespace)[0]
    return dict(FlinkRest(scene.settings.flink_url).checkpoints(job.id)["counts"])


@pytest.mark.parametrize(
    "strike", [catalog.commit_unanswered, catalog.commit_sent_again], ids=["unanswered", "sent again"]
)
def test_a_commit_that_was_carried_out_though_its_sender_does_not_know_is_not_made_twice(
    scene: Scene, strike: Callable[[Scene, float], str]
) -> None:
    load = start_load(scene)
    for _ in range(3):
        strike(scene, 0)
    assert_stored_exactly(scene.settings, scene.namespace, load.finish())
    assert job_status(scene.settings, scene.namespace)[0].restarts == 0


def test_task_managers_killed_between_a_commit_and_its_answer_change_nothing(scene: Scene) -> None:
    load = start_load(scene)
    catalog.killed_after_commit(scene, 0)
    catalog.killed_after_commit(scene, 0)
    assert_stored_exactly(scene.settings, scene.namespace, load.finish())


def test_a_commit_carried_out_only_after_the_job_has_restarted_is_not_made_twice(scene: Scene) -> None:
    load = start_load(scene)
    catalog.commit_too_late(scene, 0)
    assert_stored_exactly(scene.settings, scene.namespace, load.finish())


def test_a_job_killed_before_its_first_checkpoint_after_a_commit_without_answer_is_resumed_again(scene: Scene) -> None:
    load = start_load(scene)
    catalog.cluster_killed_after_commit(scene, 0)
    first = recorded_jobs(scene.settings, scene.namespace)[0]
    catalog.kill_cluster(scene)
    without_checkpoints = scene.proxies.overrides | {"checkpoint_interval_ms": str(NEVER_MS)}
    second = resume_job(scene.settings, scene.namespace, parallelism=2, overrides=without_checkpoints)
    catalog.kill_cluster(scene)
    bring_back(scene)
    third = recorded_jobs(scene.settings, scene.namespace)[0]

    assert len({first.id, second.id, third.id}) == 3
    assert third.restored_from == second.restored_from
    assert_stored_exactly(scene.settings, scene.namespace, load.finish())


def test_a_catalog_locked_for_half_a_minute_changes_nothing(scene: Scene) -> None:
    load = start_load(scene)
    catalog.locked(scene, LOCK_S)
    assert_stored_exactly(scene.settings, scene.namespace, load.finish())


def test_a_state_that_the_lake_has_gone_on_from_is_refused_because_events_would_be_stored_twice(scene: Scene) -> None:
    load = start_load(scene)
    cancel_job(scene.settings, scene.namespace)
    oldest = str(saved_states(scene.settings, scene.namespace.job())[0].path)

    with pytest.raises(CodewaveError, match="would store events a second time"):
        resume_job(scene.settings, scene.namespace, oldest)
    resume_job(scene.settings, scene.namespace, parallelism=2, overrides=scene.proxies.overrides)
    assert_stored_exactly(scene.settings, scene.namespace, load.finish())

    cancel_job(scene.settings, scene.namespace)
    with pytest.raises(CodewaveError, match="would store events a second time"):
        resume_job(scene.settings, scene.namespace, oldest)
    resume_job(
        scene.settings, scene.namespace, oldest, parallelism=2, overrides=scene.proxies.overrides, store_again=True
    )
    wait_until(lambda: stored_twice(scene) > 0, "the refusal was right: events are stored a second time")


def test_a_full_disk_of_checkpoints_changes_nothing(scene: Scene, checkpoints_unmounted: Path) -> None:
    if reason := checkpoints.why_no_mount():
        pytest.skip(f"{reason}; the test with a blocked folder needs nothing")
    load = start_load(scene)
    before = counts(scene)
    checkpoints.disk_filled(scene, FULL_S)
    assert not checkpoints_unmounted.is_mount()
    assert_only_checkpoints_failed(scene, before)
    assert_stored_exactly(scene.settings, scene.namespace, load.finish())


def test_checkpoints_that_cannot_be_written_change_nothing(scene: Scene) -> None:
    load = start_load(scene)
    before = counts(scene)
    checkpoints.folder_blocked(scene, FULL_S)
    assert_only_checkpoints_failed(scene, before)
    assert_stored_exactly(scene.settings, scene.namespace, load.finish())


@pytest.fixture
def checkpoints_unmounted(scene: Scene) -> Iterator[Path]:
    """The folder of the job's checkpoints, on which nothing stays mounted, however the test ends."""
    folder = checkpoint_folder(scene.settings, scene.namespace.job())
    yield folder
    if folder.is_mount():
        cancel_job(scene.settings, scene.namespace)
        checkpoints.unmount(folder)


def stored_twice(scene: Scene) -> int:
    return sum(row.rows_held - row.events_held for row in reconcile(scene.settings, scene.namespace.name).rows)


def assert_only_checkpoints_failed(scene: Scene, before: dict[str, int]) -> None:
    """Checkpoints failed and now complete again; the job did not have to restart."""
    assert counts(scene)["failed"] > before["failed"]
    completed = counts(scene)["completed"]
    wait_until(lambda: counts(scene)["completed"] > completed, "another checkpoint")
    assert job_status(scene.settings, scene.namespace)[0].restarts == 0
