"""Executions that never finish are taken for lost, each once, in the lake and in search; all others are not."""

import msgspec
import pytest
from system_waiting import wait_until

from codewave.lake.reconcile import reconcile
from codewave.local.jobs import start_job
from codewave.local.namespace import Namespace
from codewave.local.opensearch import search_client
from codewave.local.settings import LocalSettings
from codewave.run.play import play
from codewave.run.settle import wait_until_stored
from codewave.workload.options import options_for

pytestmark = pytest.mark.system

SILENCE_MS = 3_000


def test_what_never_finishes_is_taken_for_lost_and_nothing_else(
    shared_stack: LocalSettings, fresh_namespace: Namespace
) -> None:
    start_job(shared_stack, fresh_namespace, parallelism=2, overrides={"execution_silence_ms": str(SILENCE_MS)})
    chosen = options_for(traces=0, rooms=6, seconds=60, seed=11, chaos="duplicate=0.05 reorder=0.05 corrupt=0.002")
    chosen = msgspec.structs.replace(chosen, unfinished=0.4)
    truth = play(shared_stack, fresh_namespace, [], chosen)
    assert truth.unfinished > 5

    wait_until(lambda: _lost(shared_stack, fresh_namespace) == truth.unfinished, "as many lost as were left unfinished")
    result = wait_until_stored(shared_stack, fresh_namespace, truth, lambda _: None)
    assert (result.problems, result.closes, result.search_closes) == ([], True, True)
    assert (result.outcomes.lost, result.records_missing) == (truth.unfinished, 0)
    assert result.outcomes.executions == truth.unfinished + sum(truth.finished.values())
    expected = truth.unfinished + truth.finished.get("lost", 0)
    wait_until(lambda: _shown_lost(shared_stack, fresh_namespace) == expected, "search shows them as lost too")


def _lost(settings: LocalSettings, namespace: Namespace) -> int:
    return reconcile(settings, namespace.name).outcomes.lost


def _shown_lost(settings: LocalSettings, namespace: Namespace) -> int:
    query = {"query": {"term": {"status": "lost"}}}
    answer = search_client(settings).count(index=f"{namespace.index_prefix}executions-*", body=query)
    return int(answer["count"])
