"""Every DAG, run by Airflow itself on what the real job stored: the ledger is the truth, and a day of it is sealed."""

from datetime import UTC, datetime, timedelta

import pytest
from system_proof import CHAOS, assert_stored_exactly

from codewave.faults.clocks import DAY_MS, Skew, play_skewed
from codewave.faults.sent import sent_together
from codewave.local.airflow import list_dags, run_dags
from codewave.local.jobs import start_job
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings
from codewave.run.ledger import compare_ledger
from codewave.run.play import play
from codewave.workload.options import WorkloadOptions, options_for
from iceberg.engine import local_engine

pytestmark = pytest.mark.system

DAYS_AGO = 3
"""When the executions of some rooms finished, by their writers' clocks: that day is over and can be closed."""
FIRST = ("lake_watch", "derived", "freshness", "maintain", "rederive", "quality", "retention")


def load(salt: str) -> WorkloadOptions:
    return options_for(traces=0, rooms=3, seconds=60, rate=600, seed=9, chaos=CHAOS, salt=salt)


def test_every_dag_runs_on_what_the_job_stored_and_a_day_of_it_is_sealed(
    shared_stack: LocalSettings, fresh_namespace: Namespace
) -> None:
    start_job(shared_stack, fresh_namespace, parallelism=2)
    behind = Skew("writers three days behind", -DAYS_AGO * DAY_MS, 0)
    day = (datetime.now(UTC) - timedelta(days=DAYS_AGO)).date()
    old = play_skewed(shared_stack, fresh_namespace, load("old"), behind)
    sent = sent_together([old, play(shared_stack, fresh_namespace, [], load("new"))])
    assert_stored_exactly(shared_stack, fresh_namespace, sent)
    assert sum(old.finished.values()) > 5

    names = [*FIRST, "reliability_report", "billing_close"]
    results = run_dags(shared_stack, names, day.isoformat(), fresh_namespace.name)
    assert {run.dag: run.reason for run in results if not run.succeeded} == {}
    assert {run.dag for run in results} == {dag.name for dag in list_dags(shared_stack)}

    assert compare_ledger(shared_stack, fresh_namespace, sent).problems == []
    engine = local_engine(shared_stack, fresh_namespace.name)
    sealed = engine.query("SELECT CAST(day AS VARCHAR), executions, cpu_ms FROM billing_seals").rows
    assert sealed == [[day.isoformat(), sum(old.finished.values()), old.cpu_ms]]
    assert_stored_exactly(shared_stack, fresh_namespace, sent)
