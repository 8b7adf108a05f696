"""OpenSearch gone, slow, too busy or refusing: nothing is lost, the lake keeps its delay, and the indices catch up."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from system_proof import CHAOS, assert_stored_exactly, trace
from system_waiting import wait_until

from codewave.faults import search as faults
from codewave.faults.fault import Proxies, Scene
from codewave.faults.load import Load
from codewave.lake.refused_documents import RefusedDocument, refused_documents
from codewave.local.job_properties import SINKS
from codewave.local.job_status import job_status
from codewave.local.jobs import start_job
from codewave.local.namespace import Namespace
from codewave.local.opensearch import search_client
from codewave.local.opensearch_node import start_opensearch
from codewave.local.settings import LocalSettings
from codewave.workload.options import WorkloadOptions, options_for
from iceberg.engine import local_engine

pytestmark = pytest.mark.system

OUTAGE_S = 60.0
LONG_OUTAGE_S = 300.0
PHASE_S = 20.0
SAMPLE_S = 10.0
LAKE_DELAY_S = 20.0
"""Of the lake while it is well, checkpoints every two seconds, two cores for everything."""
SMALLEST_REFUSED = 128
"""The first number that is no signed byte."""


@pytest.fixture
def scene(shared_stack: LocalSettings, fresh_namespace: Namespace) -> Iterator[Scene]:
    """A namespace whose job reaches OpenSearch through a proxy."""
    with Proxies(shared_stack) as proxies:
        yield Scene(settings=shared_stack, namespace=fresh_namespace, proxies=proxies, random=Random(3))


def long_load(rate: float) -> WorkloadOptions:
    """A trace and rooms for more than ten minutes; a test stops it when it has seen enough."""
    return options_for(traces=1, rooms=20, seconds=int(rate * 3), rate=rate, seed=5, chaos=CHAOS)


def contradict_chat(scene: Scene) -> None:
    """Make today's chat indices with a field that takes bytes where it should take any number.

    The template lets malformed fields pass, and only the index as a whole can say otherwise.
    """
    strict = {"index.mapping.ignore_malformed": False}
    chat = {"settings": strict, "mappings": {"properties": {"sequence": {"type": "byte"}}}}
    now = datetime.now(UTC)
    for day in (now - timedelta(days=1), now, now + timedelta(days=1)):
        name = f"{scene.namespace.index_prefix}chat-{day:%Y.%m.%d}"
        search_client(scene.settings).indices.create(index=name, body=chat)


def restarts(scene: Scene) -> int:
    return sum(job.restarts for job in job_status(scene.settings, scene.namespace))


def query(scene: Scene, sql: str) -> list[list[Any]]:
    return local_engine(scene.settings, scene.namespace.name).query(sql).rows


def found_ids(scene: Scene, kind: str) -> set[str]:
    from opensearchpy.helpers import scan

    client, index = search_client(scene.settings), f"{scene.namespace.index_prefix}{kind}-*"
    return {hit["_id"] for hit in scan(client, index=index, query={"_source": False})}


def newest_found(scene: Scene) -> float:
    """Seconds since epoch of the newest edit that can be searched; 0 where none can."""
    from opensearchpy.exceptions import OpenSearchException

    body = {"size": 0, "aggs": {"newest": {"max": {"field": "received_at"}}}}
    try:
        answer = search_client(scene.settings).search(index=f"{scene.namespace.index_prefix}activity-*", body=body)
    except OpenSearchException:
        return 0.0
    return (answer.get("aggregations", {}).get("newest", {}).get("value") or 0.0) / 1000


def lake_delay_s(scene: Scene) -> float:
    """How old the newest record is that can be queried."""
    ((newest,),) = query(scene, "SELECT max(arrived_at) FROM record_audit")
    return time.time() - newest.timestamp() if newest else float("inf")


def assert_refused_are_whole(scene: Scene) -> None:
    """Every message is found or kept as refused, as the lake has it."""
    refused = {one.id: one for one in refused_documents(search_client(scene.settings), scene.namespace.name)}
    lake = {row[0]: row[1:] for row in query(scene, "SELECT event_id, sequence, text, room_id FROM chat_messages")}
    found = found_ids(scene, "chat")
    assert refused
    assert found
    assert found | refused.keys() == lake.keys()
    assert not found & refused.keys()
    assert {key: wanted(one) for key, one in refused.items()} == {key: tuple(lake[key]) for key in refused}
    assert {one.error for one in refused.values()} == {"mapper_parsing_exception"}
    assert min(one.document["sequence"] for one in refused.values()) >= SMALLEST_REFUSED


def wanted(one: RefusedDocument) -> tuple[Any, ...]:
    return one.document["sequence"], one.document["text"], one.document["room_id"]


def test_whatever_search_does_nothing_is_lost_and_nothing_is_stuck(scene: Scene) -> None:
    contradict_chat(scene)
    start_job(scene.settings, scene.namespace, parallelism=2, overrides=scene.proxies.overrides)
    load = Load(scene.settings, scene.namespace, long_load(rate=150), trace())
    wait_until(lambda: newest_found(scene) > 0, "the first edits can be searched")

    faults.search_down(scene, OUTAGE_S)
    back = time.time()
    wait_until(lambda: newest_found(scene) > back, "edits sent since OpenSearch is back can be searched")
    print(f"caught up {time.time() - back:.0f} s after OpenSearch was back, {restarts(scene)} restarts")

    before = restarts(scene)
    faults.search_slow(scene, PHASE_S)
    assert restarts(scene) == before, "a slow OpenSearch is waited for"
    faults.search_rejecting(scene, 2 * PHASE_S)
    faults.search_unanswering(scene, PHASE_S)
    print(f"{restarts(scene) - before} restarts while bulks were rejected or not answered")

    assert load.running
    load.stop()
    assert_stored_exactly(scene.settings, scene.namespace, load.finish())
    assert_refused_are_whole(scene)


def test_the_lake_keeps_its_delay_while_search_is_down_for_five_minutes(scene: Scene) -> None:
    for sink in SINKS:
        start_job(scene.settings, scene.namespace, sink, parallelism=1)
    load = Load(scene.settings, scene.namespace, long_load(rate=150), trace())
    wait_until(lambda: newest_found(scene) > 0, "the first edits can be searched")
    wait_until(lambda: lake_delay_s(scene) < LAKE_DELAY_S, "the lake has what is sent")

    faults.kill(scene.settings)
    end = time.monotonic() + LONG_OUTAGE_S
    delays = []
    while time.monotonic() < end:
        time.sleep(SAMPLE_S)
        delays.append(lake_delay_s(scene))
    print(f"the lake's delay during the outage: {min(delays):.1f} to {max(delays):.1f} s; {restarts(scene)} restarts")
    start_opensearch(scene.settings)
    back = time.time()
    wait_until(lambda: newest_found(scene) > back, "edits sent since OpenSearch is back can be searched")
    print(f"caught up {time.time() - back:.0f} s after OpenSearch was back")

    assert max(delays) < LAKE_DELAY_S
    assert load.running
    load.stop()
    assert_stored_exactly(scene.settings, scene.namespace, load.finish())
