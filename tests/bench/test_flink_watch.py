"""A job is watched to its end: one that ends by itself, and one that has to be cancelled once nothing changes."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from bench import flink_watch
from bench.contender import ContenderError
from bench.flink_watch import QUIET_S, Target, Watch

TARGET = Target(job_id="j", submitted_at=990.0, events=100, events_per_read=10, endless=True)
COUNTS = "0.Sink__document_operations__Writer.numRecordsIn", "0.Sink__chat_messages__Writer.numRecordsIn"


class Clock:
    """Time goes on where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Rest:
    """A job that reads ten events in 0.1 s, whose two sinks lag behind by half a second and by a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.now
        self.cancelled_at: float | None = None
        self.failures: list[dict[str, str]] = []
        self.lost = 0

    def _done(self, lag: float) -> int:
        return max(0, min(100, int((self._clock.now - self._began - lag) * 100)))

    def metric(self, job_id: str, name: str) -> str:
        return f"{job_id} {name}"

    def job(self, job_id: str) -> dict[str, Any]:
        state = "RUNNING" if self.cancelled_at is None else "CANCELED"
        vertex = {"id": "v", "name": "Source: records", "metrics": {"write-records": self._done(0) // 10}}
        return {"name": job_id, "state": state, "vertices": [vertex], "timestamps": {"RUNNING": 1_000_000}}

    def vertex_metrics(self, job_id: str, vertex_id: str, wanted: Callable[[str], bool]) -> dict[str, list[float]]:
        assert (job_id, vertex_id) == ("j", "v")
        counts = dict(zip(COUNTS, ([self._done(0.5) / 2] * 2, [self._done(1) - self.lost]), strict=True))
        return {name: values for name, values in counts.items() if wanted(name)}

    def exceptions(self, job_id: str) -> list[dict[str, str]]:
        return self.failures if job_id else []

    def cancel(self, job_id: str) -> None:
        self.cancelled_at = self._clock.now
        self.job(job_id)


class FinishingRest(Rest):
    """The same job with sources that end: it finishes while somebody looks, between the look's first call and last."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.finished_at: float | None = None

    def job(self, job_id: str) -> dict[str, Any]:
        job = super().job(job_id)
        if self.finished_at is None and self._done(1) == TARGET.events:
            self.finished_at = self._clock.now - 0.001
        if self.finished_at is not None:
            job["state"] = "FINISHED"
            job["timestamps"]["FINISHED"] = self.finished_at * 1000
        return job


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(flink_watch, "time", clock)
    return clock


def watch(rest: Rest, target: Target = TARGET) -> Watch:
    return Watch(rest, [], target, "no log")  # type: ignore[arg-type]


def test_an_endless_job_is_cancelled_when_its_sinks_have_taken_nothing_for_a_while(clock: Clock):
    rest = Rest(clock)
    watched = watch(rest).to_the_end()
    assert watched.sinks == {"document_operations": 100, "chat_messages": 100}
    assert rest.cancelled_at == pytest.approx(1_002 + QUIET_S, abs=0.3)


def test_its_end_is_the_last_change_of_what_a_sink_has_taken_and_not_the_cancelling(clock: Clock):
    assert watch(Rest(clock)).to_the_end().ended_at == pytest.approx(1_002, abs=0.1)


def test_a_sink_that_loses_a_row_is_not_waited_for_for_ever(clock: Clock):
    rest = Rest(clock)
    rest.lost = 1
    assert watch(rest).to_the_end().sinks["chat_messages"] == 99


def test_a_failure_ends_the_job_and_names_the_cause(clock: Clock):
    rest = Rest(clock)
    rest.failures = [{"stacktrace": "java.lang.Exception: x\nCaused by: java.io.IOException: no disk"}]
    with pytest.raises(ContenderError, match=r"java\.io\.IOException: no disk; no log"):
        watch(rest).to_the_end()
    assert rest.cancelled_at is not None


def test_a_job_that_reads_nothing_is_given_up(clock: Clock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Rest, "_done", lambda self, lag: 50)
    with pytest.raises(ContenderError, match="nothing was read in 120 s"):
        watch(Rest(clock)).to_the_end()


def test_on_a_machine_where_every_look_takes_long_a_pause_is_not_taken_for_the_end(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    rest = Rest(clock)
    done = Rest._done
    monkeypatch.setattr(Rest, "exceptions", lambda self, job_id: clock.sleep(0.5) or [])
    monkeypatch.setattr(Rest, "_done", lambda self, lag: done(self, lag + 4) if lag == 1 else done(self, lag))
    assert watch(rest).to_the_end().sinks == {"document_operations": 100, "chat_messages": 100}


def test_a_job_that_finishes_while_it_is_looked_at_is_measured_to_its_end(clock: Clock):
    rest = FinishingRest(clock)
    began = clock.now
    watched = watch(rest, msgspec.structs.replace(TARGET, endless=False)).to_the_end()
    assert watched.ended_at == rest.finished_at
    assert watched.samples[-1].at > watched.ended_at
    assert watched.measured(TARGET.events, stored=TARGET.events).seconds == pytest.approx(
        watched.ended_at - began, abs=0.5
    )
