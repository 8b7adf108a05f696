"""The search sink's options: where refused documents go, and how long it tries before the job starts again."""

import importlib
import math
import sys
from types import ModuleType

import pytest

from flink_jobs.room_events.settings import Settings

CHECKPOINT_TIMEOUT_S = 600
"""Flink's own: a sink that waits longer fails the checkpoint, and with it the job."""
SHARD_WAIT_S = 60
"""How long OpenSearch keeps a bulk request waiting for a shard."""

PYFLINK = ModuleType("pyflink")
"""In its place: it is not in this environment, and the options need nothing of it."""


@pytest.fixture(scope="module")
def options() -> dict[str, str]:
    """Options of a namespace's indices."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DataStream", "StreamExecutionEnvironment", "StreamTableEnvironment"):
            patch.setattr(PYFLINK, name, object, raising=False)
        for name in ("pyflink", "pyflink.datastream", "pyflink.table"):
            patch.setitem(sys.modules, name, PYFLINK)
        statements = importlib.import_module("flink_jobs.room_events.statements")
    return statements._search_options(
        Settings(stream_name="s", warehouse="w", search_url="https://localhost:9200", index_prefix="shadow-")
    )


def test_refused_documents_go_to_an_index_of_the_namespace(options: dict[str, str]):
    assert (options["connector"], options["refused-index"]) == ("codewave-search", "shadow-refused-")


def test_a_rejection_is_waited_for_shorter_than_a_checkpoint_may_take(options: dict[str, str]):
    retries = int(options["sink.bulk-flush.backoff.max-retries"])
    # OpenSearch's BackoffPolicy.ExponentialBackoffIterator, from 100 ms.
    delays_ms = [100 + 10 * (int(math.exp(0.8 * n)) - 1) for n in range(retries)]
    assert options["sink.bulk-flush.backoff.delay"] == "100ms"
    assert 10 < sum(delays_ms) / 1000 < CHECKPOINT_TIMEOUT_S / 10


def test_an_answer_is_waited_for_longer_than_opensearch_waits_for_a_shard(options: dict[str, str]):
    # The connector takes the seconds for milliseconds.
    milliseconds = int(options["socket.timeout"].removesuffix("s"))
    assert SHARD_WAIT_S < milliseconds / 1000 < CHECKPOINT_TIMEOUT_S
