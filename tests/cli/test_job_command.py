"""`codewave job`: what `status` shows a person, and what `resume` passes on to Flink."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from codewave.cli import job
from codewave.local import job_status, jobs
from codewave.local.job_status import Checkpoint, JobStatus
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings
from codewave.local.submission import Launch, root_cause

app = typer.Typer()
job.register(app)

RUNS = JobStatus(
    name="room_events-rooms",
    id="0db8ef84",
    sinks="raw,lake",
    state="RUNNING",
    uptime_seconds=383.4,
    tasks_running=14,
    tasks_total=14,
    last_checkpoint=Checkpoint(id=73, completed_at=0, bytes=1_234_567, duration_ms=63, written_bytes=4_321),
    behind_ms=1_500,
    delay_ms=212,
    delay_median_ms=180,
    delay_p99_ms=2_900,
    records_per_second=12.3,
    events_per_second=1_234.5,
    state_bytes=1_234_567,
    isolated=0,
)
JUST_STARTED = JobStatus(name="room_events-rooms", id="0db8ef84", sinks="raw", state="RUNNING", tasks_total=2)


def status(monkeypatch: pytest.MonkeyPatch, *found: JobStatus) -> Result:
    monkeypatch.setattr(job_status, "job_status", lambda *_: list(found))
    return CliRunner().invoke(app, ["job", "status"], catch_exceptions=False)


def test_a_running_job_is_shown_with_how_far_and_how_fast_it_is(monkeypatch: pytest.MonkeyPatch):
    shown = status(monkeypatch, RUNS)
    assert shown.exit_code == 0
    assert shown.stdout.splitlines() == [
        "room_events-rooms  RUNNING  (raw,lake)  14/14 tasks",
        "  up           383 s, 0 restarts, id 0db8ef84",
        "  source       1,500 ms behind the end of the stream",
        "  latency      212 ms from arrival to processing of the last record; half within 180 ms, 99 % within 2,900 ms",
        "  throughput   12.3 records/s, 1,234.5 events/s, over the last minute",
        "  isolated     0 that broke the job's code",
        "  checkpoint   73 at 1970-01-01 00:00:00 UTC, took 63 ms",
        "  state        1,234,567 bytes, of which 4,321 with this checkpoint",
    ]


def test_a_job_of_which_flink_knows_no_metrics_yet_says_so(monkeypatch: pytest.MonkeyPatch):
    shown = status(monkeypatch, JUST_STARTED)
    assert "  flow         not known yet; ask again in a few seconds" in shown.stdout.splitlines()
    assert shown.exit_code == 1


def test_what_was_isolated_is_shown_with_where_to_look(monkeypatch: pytest.MonkeyPatch):
    shown = status(monkeypatch, msgspec.structs.replace(RUNS, isolated=3))
    assert "  isolated     3 that broke the job's code; look with `codewave search operator_failed" in shown.stdout


def test_what_a_failure_says_cannot_touch_the_terminal(monkeypatch: pytest.MonkeyPatch):
    failed = JobStatus(name="j", id="1", sinks="raw", state="RESTARTING", last_failure="ValueError: \x1b[2J[bold]")
    assert "  last failure ValueError: \N{REPLACEMENT CHARACTER}[2J[bold]" in status(monkeypatch, failed).stdout


def resumed(monkeypatch: pytest.MonkeyPatch, *options: str) -> dict[str, Any]:
    """What `job resume` asks for."""
    asked: dict[str, Any] = {}

    def resume_job(*_: Any, **rest: Any) -> JobStatus:
        asked.update(rest)
        return RUNS

    monkeypatch.setattr(jobs, "resume_job", resume_job)
    CliRunner().invoke(app, ["job", "resume", "--sinks", "raw", "--json", *options], catch_exceptions=False)
    return asked


def test_state_of_removed_inserts_is_given_up_only_when_asked(monkeypatch: pytest.MonkeyPatch):
    assert resumed(monkeypatch)["drop_state_of_removed"] is False
    assert resumed(monkeypatch, "--drop-state-of-removed")["drop_state_of_removed"] is True


def launch(tmp_path: Path, *, drop: bool) -> list[str]:
    of = Launch(
        namespace=Namespace("rooms"),
        sinks="raw",
        parallelism=1,
        code=tmp_path,
        savepoint=str(tmp_path),
        main=tmp_path / "main.py",
        drop_state_of_removed=drop,
    )
    return of.arguments(LocalSettings(), tmp_path / "properties.json")


def test_flink_is_told_to_leave_out_state_only_when_asked(tmp_path: Path):
    assert "--allowNonRestoredState" not in launch(tmp_path, drop=False)
    assert "--allowNonRestoredState" in launch(tmp_path, drop=True)


def test_state_that_nothing_takes_is_explained_with_the_option_that_drops_it():
    trace = """org.apache.flink.client.program.ProgramInvocationException: could not run
Caused by: java.lang.IllegalStateException: Failed to rollback to checkpoint/savepoint file:/x. Cannot map
checkpoint/savepoint state for operator 1a2b to the new program, because the operator is not available in the new
program. If you want to allow to skip this, you can set the --allowNonRestoredState option on the CLI.
"""
    assert "codewave job resume --drop-state-of-removed" in root_cause(trace)
