"""A stream that throttles, loses answers, and changes its shards under load: nothing is lost, doubled or disordered."""

from random import Random

import pytest
from system_proof import assert_stored_exactly, options, trace
from system_waiting import wait_until

from codewave.faults import stream as faults
from codewave.faults.fault import Scene
from codewave.faults.load import Load
from codewave.local.job_status import job_status
from codewave.local.jobs import resume_job, stop_job
from iceberg.engine import local_engine

pytestmark = pytest.mark.system

RATE = 1000
ROOMS = 24
"""So many that every shard gets some."""


def start_load(scene: Scene) -> Load:
    """Send a trace and rooms through the proxy."""
    chosen = options(seconds=25, rate=RATE, rooms=ROOMS)
    return Load(scene.settings, scene.namespace, chosen, trace(), endpoint=scene.proxies.stream.url)


def shards_read(scene: Scene) -> set[str]:
    rows = local_engine(scene.settings, scene.namespace.name).query("SELECT DISTINCT shard_id FROM raw_records").rows
    return {row[0] for row in rows}


def test_throttling_partial_failures_and_lost_answers_change_nothing(scene: Scene) -> None:
    rule = faults.Throttling(Random(7))
    load = start_load(scene)
    with scene.proxies.stream.ruled(rule):
        load.wait_for_share(0.7)
    result = assert_stored_exactly(scene.settings, scene.namespace, load.finish())

    assert set(rule.calls) == {"put_throttled", "put_in_part", "put_unanswered", "get_throttled"}
    assert result.duplicate > 0
    # The source waits and asks again.
    assert job_status(scene.settings, scene.namespace)[0].restarts == 0


def test_shards_split_and_merged_under_load_change_nothing_and_the_job_can_be_resumed(scene: Scene) -> None:
    load = start_load(scene)
    load.wait_for_share(0.2)
    before = {shard["ShardId"] for shard in faults.open_shards(scene.settings, scene.namespace)}
    split = faults.split_shard(scene.settings, scene.namespace, scene.random)
    load.wait_for_share(0.4)
    merged = faults.merge_shards(scene.settings, scene.namespace, scene.random)
    children = {shard["ShardId"] for shard in faults.open_shards(scene.settings, scene.namespace)} - before
    assert children
    assert children.isdisjoint({split, *merged})
    wait_until(lambda: children <= shards_read(scene), f"records of the shards {sorted(children)}")

    stop_job(scene.settings, scene.namespace)
    resume_job(scene.settings, scene.namespace, parallelism=3, overrides=scene.proxies.overrides)
    faults.split_shard(scene.settings, scene.namespace, scene.random)
    assert_stored_exactly(scene.settings, scene.namespace, load.finish())
