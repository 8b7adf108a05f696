"""Whatever of the job is killed, frozen, stopped or rescaled under load, exactly what was sent is stored."""

import time
from collections.abc import Callable, Iterator
from random import Random

import pytest
from system_proof import CHAOS, assert_stored_exactly, trace
from system_waiting import wait_until

from codewave.faults import processes as faults
from codewave.faults.fault import Proxies, Scene
from codewave.faults.load import Load
from codewave.lake.reconcile import reconcile
from codewave.local.jobs import start_job
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings
from codewave.workload.options import WorkloadOptions, options_for

pytestmark = pytest.mark.system

SEED = 11
LONGEST_WAIT_S = 12.0
KILLS: list[Callable[[Scene, float], str]] = [
    *[faults.task_manager_killed] * 6,
    *[faults.all_task_managers_killed] * 2,
    faults.job_manager_killed,
    faults.cluster_killed,
]


@pytest.fixture
def scene(shared_stack: LocalSettings, fresh_namespace: Namespace) -> Iterator[Scene]:
    """A namespace whose job reaches everything through proxies; all choices come from one seed."""
    with Proxies(shared_stack) as proxies:
        yield Scene(settings=shared_stack, namespace=fresh_namespace, proxies=proxies, random=Random(SEED))


def long_load(rate: float) -> WorkloadOptions:
    """A trace and rooms for half an hour; a test stops it when it has seen enough."""
    return options_for(traces=1, rooms=4, seconds=int(rate * 45), rate=rate, seed=SEED, chaos=CHAOS)


def start(scene: Scene, parallelism: int, rate: float) -> Load:
    """Start the job and the load, and wait until something is in the lake: until then a kill has nothing to spoil."""
    start_job(scene.settings, scene.namespace, parallelism=parallelism, overrides=scene.proxies.overrides)
    load = Load(scene.settings, scene.namespace, long_load(rate), trace())
    wait_until(lambda: reconcile(scene.settings, scene.namespace.name).stored > 0, "the first events are stored")
    return load


def assert_all_stored(scene: Scene, load: Load) -> None:
    """End the load, which must have lasted so far, and compare."""
    assert load.running
    load.stop()
    truth = load.finish()
    faults.bring_back(scene)
    assert_stored_exactly(scene.settings, scene.namespace, truth)


def test_ten_kills_at_random_moments_change_nothing(scene: Scene) -> None:
    load = start(scene, parallelism=2, rate=400)
    kills = scene.random.sample(KILLS, len(KILLS))
    assert len(kills) == 10
    for kill in kills:
        # Not until the job has recovered: kills hit recoveries and checkpoints as well.
        time.sleep(scene.random.uniform(0, LONGEST_WAIT_S))
        kill(scene, 0)
    assert_all_stored(scene, load)


def test_stopping_resuming_and_rescaling_under_load_change_nothing(scene: Scene) -> None:
    load = start(scene, parallelism=2, rate=400)
    seen = []
    for parallelism in (2, 1, 3):
        time.sleep(scene.random.uniform(0, LONGEST_WAIT_S))
        faults.stop(scene)
        seen.append(faults.resume(scene, parallelism).parallelism)
    assert seen == [2, 1, 3]
    assert_all_stored(scene, load)


def test_a_frozen_task_manager_that_wakes_in_a_cluster_that_gave_it_up_changes_nothing(scene: Scene) -> None:
    load = start(scene, parallelism=3, rate=400)
    faults.task_manager_frozen(scene, 20.0)
    assert_all_stored(scene, load)
