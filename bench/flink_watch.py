"""Watching one Flink job from its first event to its last, through Flink's REST interface and the kernel's figures.

A job whose rows are kept ends by itself, with its last commit. One whose rows are discarded has sources that wait for
more: what its sinks have taken is known only as long as their tasks live. Its end is the moment of the last change; it
is cancelled once nothing has changed for :data:`QUIET_S`.
"""

import time
from collections.abc import Iterable
from typing import Any, Final

import psutil
from msgspec import Struct

from bench.contender import ContenderError
from bench.flink_samples import Compilers, Sample, Watched, usage
from codewave.local.flink_rest import FlinkRest
from codewave.local.submission import root_cause

EVENT_TABLES: Final = (
    "document_operations", "presence_events", "chat_messages", "execution_events", "execution_logs",
)  # fmt: skip
"""Each accepted event is a row of one of them."""
QUIET_S: Final = 2.0
"""Without a change in what the sinks have taken, once every event was read; a busy job changes it all the time."""

_COUNTED: Final = (*EVENT_TABLES, "sequence_gaps", "quarantined_events")
_POLL_S: Final = 0.25
_POLL_AT_END_S: Final = 0.04
"""The end of a job that is cancelled is known as precisely as this."""
_END_SHARE: Final = 0.95
_END_S: Final = 1.0
"""The end is near from this share of the events on, and where so much time is left at the latest rate."""
_QUIET_LOOKS: Final = 20
"""Without a change, beside the seconds: on a busy machine both the job and the looks are slow."""
_COLLECT_S: Final = 0.02
"""From asking for figures until the JobManager has them."""
_STUCK_S: Final = 120.0
_CANCEL_DEADLINE_S: Final = 60.0
_ENDED: Final = frozenset({"FINISHED", "CANCELED", "FAILED"})


class Target(Struct, frozen=True, kw_only=True):
    """What is watched."""

    job_id: str
    submitted_at: float
    """By the wall clock, in s."""
    events: int
    """In the input."""
    events_per_read: int
    """Events in one row of the source."""
    endless: bool
    """Whether it has to be cancelled, and its sinks to be asked for their counts."""


class Watch:
    """Looks at one job until it is over.

    :param log: what a failure points to.
    """

    def __init__(self, rest: FlinkRest, processes: Iterable[psutil.Process], target: Target, log: str) -> None:
        self._rest = rest
        self._target = target
        self._log = log
        self._processes = list(processes)
        self._compilers = Compilers([process.pid for process in self._processes])
        self._sinks: dict[str, int] = {}
        self._samples = [Sample(at=time.time(), events=0, **self._usage())]
        self._changed_at = self._samples[0].at
        self._changed_look = 0

    def to_the_end(self) -> Watched:
        """Look until the job is over.

        :raises ContenderError: if it fails or gets stuck, with the cause.
        """
        state = self._until_quiet() if self._target.endless else self._until_finished()
        times = state["timestamps"]
        return Watched(
            submitted_at=self._target.submitted_at,
            running_at=times["RUNNING"] / 1000,
            ended_at=self._changed_at if self._target.endless else times["FINISHED"] / 1000,
            samples=self._samples,
            sinks=self._sinks,
        )

    def _until_finished(self) -> dict[str, Any]:
        while (state := self._look())["state"] not in _ENDED:
            self._refuse_failures(state)
            time.sleep(_POLL_AT_END_S if self._near_end() else _POLL_S)
        if state["state"] != "FINISHED":
            self._refuse_failures(state)
        # The last look may have begun before the end that it saw.
        return self._look()

    def _until_quiet(self) -> dict[str, Any]:
        while True:
            state = self._look()
            self._refuse_failures(state)
            if self._near_end():
                self._ask_sinks(state)
            if self._is_quiet():
                self._cancel(state)
                return state
            time.sleep(_POLL_AT_END_S if self._near_end() else _POLL_S)

    def _look(self) -> dict[str, Any]:
        self._rest.metric(self._target.job_id, "uptime")  # makes the JobManager collect all figures
        at, used = time.time(), self._usage()
        time.sleep(_COLLECT_S)
        state = self._rest.job(self._target.job_id)
        events, before = events_read(state) * self._target.events_per_read, self._samples[-1].events
        self._samples.append(Sample(at=at, events=max(events, before), **used))
        if events > before:
            self._note_change()
        return state

    def _note_change(self) -> None:
        self._changed_at, self._changed_look = self._samples[-1].at, len(self._samples)

    def _is_quiet(self) -> bool:
        looks = len(self._samples) - self._changed_look
        seconds = time.time() - self._changed_at
        return self._samples[-1].events >= self._target.events and seconds > QUIET_S and looks >= _QUIET_LOOKS

    def _usage(self) -> dict[str, Any]:
        cpu, rss = usage(self._processes)
        return {"cpu_seconds": cpu, "rss_bytes": rss, "compiling_seconds": self._compilers.cpu_seconds()}

    def _near_end(self) -> bool:
        before, last = self._samples[-2:]
        rate = (last.events - before.events) / max(last.at - before.at, _COLLECT_S)
        left = self._target.events - last.events
        return left <= max(self._target.events * (1 - _END_SHARE), rate * _END_S)

    def _ask_sinks(self, state: dict[str, Any]) -> None:
        """Note how many rows each sink has taken."""
        taken: dict[str, int] = {}
        for vertex in state["vertices"]:
            found = self._rest.vertex_metrics(
                self._target.job_id, str(vertex["id"]), lambda name: sink_of(name) is not None
            )
            for name, values in found.items():
                table = str(sink_of(name))
                taken[table] = taken.get(table, 0) + round(sum(values))
        if taken != self._sinks:
            self._sinks = taken
            self._note_change()

    def _cancel(self, state: dict[str, Any]) -> None:
        self._rest.cancel(self._target.job_id)
        give_up = time.monotonic() + _CANCEL_DEADLINE_S
        while self._rest.job(self._target.job_id)["state"] not in _ENDED:
            if time.monotonic() > give_up:
                raise ContenderError(f"{state['name']}: is not cancelled after {_CANCEL_DEADLINE_S:.0f} s; {self._log}")
            time.sleep(_POLL_S)

    def _refuse_failures(self, state: dict[str, Any]) -> None:
        failures = self._rest.exceptions(self._target.job_id)
        stuck = time.time() - self._changed_at > _STUCK_S
        over = state["state"] in _ENDED
        if not failures and not stuck and not over:
            return
        if not over:
            self._rest.cancel(self._target.job_id)
        told = f"is {state['state']}" if over else f"nothing was read in {_STUCK_S:.0f} s"
        cause = root_cause(str(failures[0]["stacktrace"])) if failures else told
        raise ContenderError(f"{state['name']}: {cause}; {self._log}")


def events_read(state: dict[str, Any]) -> int:
    """Rows that a job's sources have handed on.

    :param state: the job as Flink's REST interface tells it; a source is named so.
    """
    sources = [vertex for vertex in state["vertices"] if str(vertex["name"]).startswith("Source: ")]
    return sum(int(vertex["metrics"]["write-records"]) for vertex in sources)


def sink_of(metric: str) -> str | None:
    """The table whose sink a metric counts the rows of, if it does."""
    name, _, what = metric.rpartition(".")
    if what != "numRecordsIn" or "Writer" not in name:
        return None
    return next((table for table in _COUNTED if table in name), None)
