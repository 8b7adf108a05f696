"""The end of a run: the ledger is compared with what was sent."""

from typing import Any

import example_rooms as rooms
import pytest
from example_lake import ExampleLake
from lake_fixture import lake  # noqa: F401 -- a fixture

import codewave.run.ledger
from codewave.contract.events import Event
from codewave.local.namespace import Namespace
from codewave.local.settings import load_settings
from codewave.orchestration.runs import DagResult
from codewave.run.ledger import LedgerReport, derive_and_compare
from codewave.workload.chaos import Injected
from codewave.workload.steps import Step
from codewave.workload.truth import Truth, TruthCounter
from iceberg.derive import derive, touched_intervals
from iceberg.lake import local_lake


def run_of(execution: str) -> list[Any]:
    return [
        rooms.queued(1, execution=execution),
        rooms.started(2, execution=execution),
        rooms.finished(3, execution=execution),
    ]


def truth_of(*events: Event) -> Truth:
    counter = TruthCounter()
    for event in events:
        counter.sent(Step(0, 0, event, None))  # type: ignore[arg-type]
    return counter.result([], Injected(), {}, seed=1, start_ms=rooms.START_MS, interrupted=False)


@pytest.fixture
def dags(monkeypatch: pytest.MonkeyPatch) -> list[DagResult]:
    """What becomes of the DAGs, instead of Airflow: the ledger is derived for real, then they ended like this."""
    results = [DagResult(dag="derive_executions", run_id="1", state="success", seconds=1.0, tasks=[])]

    def run(settings: Any, *_: Any) -> list[DagResult]:
        stored = local_lake(settings)
        for interval in touched_intervals(stored, "executions").intervals:
            derive(stored, "executions", interval)
        return results

    monkeypatch.setattr(codewave.run.ledger, "run_dags", run)
    return results


def compare(truth: Truth) -> LedgerReport:
    return derive_and_compare(load_settings(), Namespace(), truth)


@pytest.mark.usefixtures("dags")
def test_a_ledger_of_what_was_sent_has_no_problems(lake: ExampleLake) -> None:  # noqa: F811
    events = [*run_of("run-1"), *run_of("run-2")]
    lake.take(*events)
    report = compare(truth_of(*events))
    assert report.problems == []
    assert report.ledger == report.sent
    assert sum(report.ledger.executions.values()) == 2
    assert report.ledger.cpu_ms > 0


@pytest.mark.usefixtures("dags")
def test_what_a_worker_calls_lost_counts_with_what_it_used(lake: ExampleLake) -> None:  # noqa: F811
    events = [*run_of("run-1")[:2], rooms.finished(3, execution="run-1", outcome="lost")]
    lake.take(*events)
    report = compare(truth_of(*events))
    assert (report.problems, report.ledger.executions) == ([], {"lost": 1})
    assert report.ledger.cpu_ms > 0


@pytest.mark.usefixtures("dags")
def test_an_execution_that_the_ledger_lacks_is_told_with_its_quantities(lake: ExampleLake) -> None:  # noqa: F811
    lake.take(*run_of("run-1"))
    report = compare(truth_of(*run_of("run-1"), *run_of("run-2")))
    assert len(report.problems) == 3, report.problems
    assert "ledger: 1 executions" in report.problems[0]
    assert "2 sent" in report.problems[0]


def test_a_dag_that_failed_is_told_with_its_reason(lake: ExampleLake, dags: list[DagResult]) -> None:  # noqa: F811
    lake.take(*run_of("run-1"))
    dags[0] = DagResult(dag="quality", run_id="1", state="failed", seconds=1.0, tasks=[], reason="gate closed")
    report = compare(truth_of(*run_of("run-1")))
    assert report.problems == ["DAG quality: failed: gate closed"]
    assert report.dags == {}
