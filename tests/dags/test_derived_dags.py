"""The DAGs of derived tables on real tables: what is touched is derived, once, whatever happens on the way."""

import subprocess
import sys
from pathlib import Path

import pytest
from airflow_lake import DagRunner, LakeOfDags, states
from example_rooms import START_MS, finished, queued, started

pytestmark = pytest.mark.system

DYING_RUN = Path(__file__).with_name("dying_run.py")
DAY_MS = 86_400_000
LEDGER = "SELECT execution_id, CAST(billing_day AS VARCHAR) FROM executions ORDER BY execution_id"


def an_execution(name: str, at: int = START_MS) -> list[object]:
    steps = (queued, started, finished)
    return [step(place, execution=name, at=at + place * 1000) for place, step in enumerate(steps, 1)]


def test_new_rows_are_derived_then_marked_then_let_pass_and_told_of(runner: DagRunner, lake: LakeOfDags):
    told = len(runner.told("executions"))
    lake.take(*an_execution("run-1"))
    lake.take(*an_execution("run-2", START_MS + DAY_MS))
    result = runner.run("derive_executions")
    assert result.succeeded, result.reason
    assert states(result) == {
        "find_touched": ["success"],
        "derive_intervals": ["success", "success"],
        "mark": ["success"],
        "gate": ["success"],
    }
    assert lake.rows(LEDGER) == [["run-1", "2026-01-01"], ["run-2", "2026-01-02"]]
    assert len(runner.told("executions")) == told + 1
    again = runner.run("derive_executions")
    assert states(again) == {
        "find_touched": ["success"],
        "derive_intervals": ["skipped"],
        "mark": ["success"],
        "gate": ["skipped"],
    }
    assert len(runner.told("executions")) == told + 1


def test_late_rows_reopen_only_their_interval(runner: DagRunner, lake: LakeOfDags):
    lake.take(*an_execution("run-1"), *an_execution("run-2", START_MS + DAY_MS))
    assert runner.run("derive_executions").succeeded
    lake.take(*an_execution("run-3"))
    result = runner.run("derive_executions")
    assert states(result)["derive_intervals"] == ["success"]
    assert lake.rows(LEDGER) == [["run-1", "2026-01-01"], ["run-2", "2026-01-02"], ["run-3", "2026-01-01"]]


@pytest.mark.parametrize("where", ["before_commit", "after_first_commit", "before_mark", "in_gate"])
def test_a_run_killed_anywhere_is_made_good_by_the_next(where: str, runner: DagRunner, lake: LakeOfDags):
    lake.take(*an_execution("run-1"), *an_execution("run-2", START_MS + DAY_MS))
    died = subprocess.run([sys.executable, str(DYING_RUN), where], capture_output=True, check=False, timeout=300)
    assert died.returncode == -9, died.stderr[-2000:]
    held = {"before_commit": 0, "after_first_commit": 1}.get(where, 2)
    assert len(lake.rows(LEDGER)) == held
    result = runner.run("derive_executions")
    assert result.succeeded, result.reason
    assert lake.rows(LEDGER) == [["run-1", "2026-01-01"], ["run-2", "2026-01-02"]]


def test_two_runs_of_the_same_intervals_at_once_do_no_harm(runner: DagRunner, lake: LakeOfDags):
    lake.take(*an_execution("run-1"), *an_execution("run-2", START_MS + DAY_MS))
    command = [sys.executable, str(DYING_RUN), "together"]
    runs = [subprocess.Popen([*command, str(lake.folder), str(place)]) for place in (1, 2)]
    assert [run.wait(timeout=300) for run in runs] == [0, 0]
    assert lake.rows(LEDGER) == [["run-1", "2026-01-01"], ["run-2", "2026-01-02"]]
    assert states(runner.run("derive_executions"))["derive_intervals"] == ["skipped"]


def test_a_day_is_derived_again_and_has_the_same_rows(runner: DagRunner, lake: LakeOfDags):
    lake.take(*an_execution("run-1"))
    assert runner.run("derive_executions").succeeded
    before = lake.catalog.load_table("rooms.executions").metadata.current_snapshot_id
    result = runner.run("rederive", day="2026-01-01", tables=["executions"])
    assert result.succeeded, result.reason
    assert states(result)["executions"] == ["success"]
    assert lake.catalog.load_table("rooms.executions").metadata.current_snapshot_id == before
