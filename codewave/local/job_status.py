"""What the jobs on the local cluster do now: state, restarts, how far behind, how fast, what was saved last."""

import time
from typing import Any, Final

from msgspec import Struct

from codewave.local.flink_rest import FlinkRest
from codewave.local.jobs import JobInfo, count_tasks, recorded_jobs
from codewave.local.namespace import LIVE, Namespace
from codewave.local.saved_states import usable_states
from codewave.local.settings import LocalSettings
from codewave.local.submission import root_cause
from flink_jobs.room_events.metrics import EVENTS_PER_SECOND, GROUP, ISOLATED, PROCESS_DELAY, PROCESS_DELAY_LAST

_HEAD: Final = "checkpoint-flush"
"""In front of the operator and in one chain with it, which is named after it."""
_OPERATOR: Final = "room-events"
_BEHIND: Final = "millisBehindLatest"
_MEDIAN: Final = f"{PROCESS_DELAY}_median"
_P99: Final = f"{PROCESS_DELAY}_p99"
_OURS: Final = (EVENTS_PER_SECOND, PROCESS_DELAY_LAST, _MEDIAN, _P99, ISOLATED)
_RECORDS: Final = "numRecordsInPerSecond"
_OF_OPERATOR: Final = (f"{_HEAD}.{_RECORDS}", *(f"{_OPERATOR}.{GROUP}.{name}" for name in _OURS))
_RESTARTS: Final = "numRestarts"
READS: Final = (_BEHIND, _RECORDS, _RESTARTS, *_OURS)
"""Every metric that is shown."""
_REFRESH_MS: Final = 10_000
"""How often Flink's JobManager collects metrics at most, and only when asked (metrics.fetcher.update-interval)."""
_REFRESH_DEADLINE_S: Final = 3.0
_POLL_S: Final = 0.1


class Checkpoint(Struct, frozen=True, kw_only=True):
    """A completed checkpoint."""

    id: int
    completed_at: int
    """Milliseconds since epoch."""
    bytes: int
    """Of the whole state."""
    duration_ms: int
    written_bytes: int = 0
    """What this checkpoint added to those before it."""


class JobStatus(Struct, frozen=True, kw_only=True):
    """What a job does now. Nothing where Flink has no such metric yet: up to a quarter of a minute after a start."""

    name: str
    id: str
    sinks: str
    state: str
    """Flink's word, or ``GONE`` when the cluster does not know the job (any more)."""
    uptime_seconds: float = 0.0
    restarts: int = 0
    tasks_running: int = 0
    tasks_total: int = 0
    last_checkpoint: Checkpoint | None = None
    last_failure: str | None = None
    resumable_from: str | None = None
    """The newest saved state on disk."""
    behind_ms: int | None = None
    """How old the oldest record is that the source has not read yet, in the shard that is furthest behind."""
    delay_ms: int | None = None
    """From the arrival in the stream of the record processed last to its processing; the slowest subtask's."""
    delay_median_ms: int | None = None
    """The same for the last 1,000 records of each subtask: half of them took no longer; the slowest subtask's."""
    delay_p99_ms: int | None = None
    """99 of 100 took no longer."""
    records_per_second: float | None = None
    """Over the last minute, as the next."""
    events_per_second: float | None = None
    state_bytes: int | None = None
    """The state in the last checkpoint."""
    isolated: int | None = None
    """Events and records quarantined since the last (re)start because they broke the job's own code."""


def job_status(settings: LocalSettings, namespace: Namespace = Namespace(LIVE)) -> list[JobStatus]:  # noqa: B008
    """Return what each job of the namespace does, by asking the cluster."""
    rest = FlinkRest(settings.flink_url)
    known = {str(job["jid"]) for job in rest.jobs()} if rest.answers() else set()
    return [_status(settings, rest, job, known) for job in recorded_jobs(settings, namespace)]


def _status(settings: LocalSettings, rest: FlinkRest, info: JobInfo, known: set[str]) -> JobStatus:
    states = usable_states(settings, info.namespace, info.name)
    newest = str(states[-1].path) if states else None
    if info.id not in known:
        return JobStatus(name=info.name, id=info.id, sinks=info.sinks, state="GONE", resumable_from=newest)
    job, failures = rest.job(info.id), rest.exceptions(info.id)
    running, total = count_tasks(job)
    runs = job["state"] == "RUNNING"
    uptime_ms = job["now"] - job["timestamps"]["RUNNING"] if runs else 0
    metrics = _metrics(rest, job, uptime_ms) if runs else {}
    checkpoint = _last_checkpoint(rest.checkpoints(info.id))
    isolated = _total(metrics, ISOLATED)
    return JobStatus(
        name=info.name,
        id=info.id,
        sinks=info.sinks,
        state=job["state"],
        uptime_seconds=round(uptime_ms / 1000, 1),
        restarts=int(rest.metric(info.id, _RESTARTS) or 0),
        tasks_running=running,
        tasks_total=total,
        last_checkpoint=checkpoint,
        last_failure=root_cause(str(failures[0]["stacktrace"])) if failures else None,
        resumable_from=newest,
        behind_ms=_highest(metrics, _BEHIND),
        delay_ms=_highest(metrics, PROCESS_DELAY_LAST),
        delay_median_ms=_highest(metrics, _MEDIAN),
        delay_p99_ms=_highest(metrics, _P99),
        records_per_second=_total(metrics, _RECORDS),
        events_per_second=_total(metrics, EVENTS_PER_SECOND),
        state_bytes=checkpoint.bytes if checkpoint else None,
        isolated=None if isolated is None else int(isolated),
    )


def _metrics(rest: FlinkRest, job: dict[str, Any], uptime_ms: int) -> dict[str, list[float]]:
    """Each metric that is there, by the last part of its name: its value in every subtask, or of every shard."""
    job_id = str(job["jid"])
    _refresh(rest, job_id, uptime_ms)
    found: dict[str, list[float]] = {}
    for vertex in job["vertices"]:
        if str(vertex["name"]).startswith((_HEAD, "Source: ")):
            for name, values in rest.vertex_metrics(job_id, str(vertex["id"]), _is_shown).items():
                found.setdefault(name.rsplit(".", 1)[-1], []).extend(values)
    return found


def _is_shown(name: str) -> bool:
    return name in _OF_OPERATOR or name.endswith(f".{_BEHIND}")


def _refresh(rest: FlinkRest, job_id: str, uptime_ms: int) -> None:
    """Make Flink collect its metrics, which it does when it is asked and too late for that answer, and wait for it."""
    deadline = time.monotonic() + _REFRESH_DEADLINE_S
    while True:
        seen = rest.metric(job_id, "uptime")
        if (seen is not None and uptime_ms - int(seen) <= _REFRESH_MS) or time.monotonic() > deadline:
            return
        time.sleep(_POLL_S)


def _highest(metrics: dict[str, list[float]], name: str) -> int | None:
    values = metrics.get(name)
    return round(max(values)) if values else None


def _total(metrics: dict[str, list[float]], name: str) -> float | None:
    values = metrics.get(name)
    return round(sum(values), 1) if values else None


def _last_checkpoint(checkpoints: dict[str, Any]) -> Checkpoint | None:
    last = (checkpoints.get("latest") or {}).get("completed")
    if not last:
        return None
    return Checkpoint(
        id=last["id"],
        completed_at=last["latest_ack_timestamp"],
        bytes=last["state_size"],
        duration_ms=last["end_to_end_duration"],
        written_bytes=last["checkpointed_size"],
    )
