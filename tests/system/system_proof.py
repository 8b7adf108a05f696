"""The proof that every fault test ends with: what was sent is what is stored, exactly."""

from pathlib import Path

from codewave.lake.reconcile import Reconciliation
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings
from codewave.run.report import report_on
from codewave.run.settle import wait_until_stored
from codewave.workload.options import WorkloadOptions, options_for
from codewave.workload.traces import Trace, read_trace
from codewave.workload.truth import Truth

TRACE = Path(__file__).parents[1] / "workload" / "traces" / "clownschool_flat.json.gz"
CHAOS = "duplicate=0.05 reorder=0.05 malformed=0.01 corrupt=0.001 oversized=0.001"


def trace() -> list[Trace]:
    """A real editing history."""
    return [read_trace(TRACE)]


def options(seconds: int = 30, rate: float = 1500, rooms: int = 4) -> WorkloadOptions:
    """A trace and a few rooms, with every kind of bad input."""
    return options_for(traces=1, rooms=rooms, seconds=seconds, rate=rate, seed=7, chaos=CHAOS)


def assert_stored_exactly(settings: LocalSettings, namespace: Namespace, truth: Truth) -> Reconciliation:
    """Counts close, the truth is matched event by event, the indices hold the same, every document is right."""
    result = wait_until_stored(settings, namespace, truth, lambda _: None)
    report = report_on(settings, namespace, truth, result)
    assert report.problems == []
    assert (report.closes, report.difference, report.stored) == (True, 0, truth.events)
    assert report.documents_verified == len(truth.documents)
    return result
