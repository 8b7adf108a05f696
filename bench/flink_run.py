"""The Flink cluster of the benchmark: its life, and jobs on it that are submitted and watched to their end.

A real cluster, as the local stack's: a JobManager and TaskManagers as processes, RocksDB, a checkpoint every 5 s. It
has ports and a data folder of its own, so that it never meets a running stack. Every job gets new TaskManagers: none
profits from what another has warmed up, nor bears its memory.
"""

import fcntl
import shutil
import time
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import psutil
from msgspec import Struct

from bench.contender import ContenderError
from bench.flink_samples import Sample, Watched, usage
from codewave.errors import CodewaveError
from codewave.local import catalog, flink, opensearch_node, processes
from codewave.local.flink_rest import FlinkRest
from codewave.local.job_code import copy_code, job_folder
from codewave.local.job_properties import job_properties, write_properties
from codewave.local.namespace import Namespace
from codewave.local.settings import PROJECT_ROOT, LocalSettings, load_settings
from codewave.local.submission import Launch, root_cause, submit

JOBS: Final = Path("bench/flink")
"""Entry points and statements, in the project and in the copy of the code that a job runs."""
EVENT_TABLES: Final = (
    "document_operations", "presence_events", "chat_messages", "execution_events", "execution_logs",
)  # fmt: skip
"""Each accepted event is a row of one of them."""

_PORTS: Final = ("catalog", "opensearch", "opensearch_transport", "flink", "flink_rpc", "flink_blob")
_PORT_OFFSETS: Final = range(21_000, 23_000, 50)
"""Beyond those of the stack and of the tests, below the ports that the system gives to clients."""
_OPTIONS: Final = {
    # Figures are collected when they are asked for; by default no more often than every 10 s.
    "metrics.fetcher.update-interval": "10",
}
_POLL_S: Final = 0.25
_POLL_AT_END_S: Final = 0.04
"""A discarding sink's count is gone with the job: it is read in the moment between the last event and the job's end."""
_END_SHARE: Final = 0.95
_COLLECT_S: Final = 0.02
"""From asking for figures until the JobManager has them."""
_STUCK_S: Final = 120.0
_ENDED: Final = frozenset({"FINISHED", "CANCELED", "FAILED"})


class Job(Struct, frozen=True, kw_only=True):
    """What is submitted."""

    namespace: str
    """Names its tables, indices and itself."""
    entry: str
    """File below :data:`JOBS`."""
    sinks: str = "lake"
    statements: tuple[str, ...]
    """Folders of statements below ``JOBS/sql``; the first that has a file wins."""
    stream: str
    """What takes the place of the stream's name: a recorded stream, or a folder of events."""
    events_per_read: int
    """Events in one row of the source."""
    events: int
    """In the input."""
    discards: bool
    """Whether the sinks are to be asked for their counts."""


class _BenchLaunch(Launch, frozen=True, kw_only=True):
    folders: tuple[Path, ...]

    def arguments(self, settings: LocalSettings, properties: Path) -> list[str]:
        words = super().arguments(settings, properties)
        return words + [word for folder in self.folders for word in ("--sql", str(folder))]


class FlinkStack:
    """Catalog, cluster and, once a job asks for it, OpenSearch; started when they are first needed.

    :param task_managers: processes; ``slots``: subtasks in each.
    """

    def __init__(self, task_managers: int = 1, slots: int = 1) -> None:
        base = load_settings()
        self.settings = msgspec.structs.replace(
            base,
            data_folder=str(base.data / "bench" / "flink"),
            task_managers=task_managers,
            parallelism=task_managers * slots,
        )
        self._slots = slots
        self._lock: IO[str] | None = None

    def start(self, *, search: bool = False) -> None:
        """Start what does not run yet.

        :raises ContenderError: if another benchmark runs, or a part does not start.
        """
        try:
            if self._lock is None:
                self._begin()
            if search:
                opensearch_node.start_opensearch(self.settings)
        except CodewaveError as error:
            raise ContenderError(f"flink: {error}") from None

    def close(self) -> None:
        """Stop every process; what inputs were recorded stays."""
        if self._lock is not None:
            self._stop()
            self._lock.close()
            self._lock = None

    def run(self, job: Job) -> Watched:
        """Submit a job to new TaskManagers and watch it to its end.

        :raises ContenderError: if it fails or gets stuck, with the cause.
        """
        try:
            flink.restart_task_managers(self.settings)
            submitted_at = time.time()
            job_id = submit(self.settings, *self._launch(job))
            return _Watch(self.settings, job, job_id).to_the_end(submitted_at)
        except CodewaveError as error:
            raise ContenderError(f"flink: {error}") from None

    def _begin(self) -> None:
        self.settings.data.mkdir(parents=True, exist_ok=True)
        lock = (self.settings.data / "bench.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise ContenderError("flink: another benchmark uses the cluster; wait for its end") from None
        self._lock = lock
        self._stop()  # what a benchmark that was killed left running
        self.settings = msgspec.structs.replace(self.settings, port_offset=_free_offset(self.settings))
        catalog.start_catalog(self.settings)
        flink.start_cluster(self.settings, _OPTIONS | {"taskmanager.numberOfTaskSlots": str(self._slots)})

    def _stop(self) -> None:
        flink.stop_cluster(self.settings)
        catalog.stop_catalog(self.settings)
        opensearch_node.stop_opensearch(self.settings)

    def _launch(self, job: Job) -> tuple[Launch, Path]:
        namespace = Namespace(job.namespace)
        properties = job_properties(self.settings, namespace, job.sinks, "earliest")
        properties |= {"stream_name": job.stream, "stream_endpoint": ""}
        code = copy_code(self.settings.data / "code")
        shutil.copytree(PROJECT_ROOT / JOBS, code / JOBS, dirs_exist_ok=True)
        launch = _BenchLaunch(
            namespace=namespace,
            sinks=job.sinks,
            parallelism=self.settings.parallelism,
            code=code,
            savepoint=None,
            main=code / JOBS / job.entry,
            folders=tuple(code / JOBS / "sql" / name for name in job.statements),
        )
        file = job_folder(self.settings, launch.name) / "application_properties.json"
        write_properties(file, properties)
        return launch, file


class _Watch:
    """Looks at one job until it is over."""

    def __init__(self, settings: LocalSettings, job: Job, job_id: str) -> None:
        self._settings = settings
        self._job = job
        self._id = job_id
        self._rest = FlinkRest(settings.flink_url)
        self._processes = [psutil.Process(pid) for pid in flink.task_manager_pids(settings)]
        self._samples = [Sample(at=time.time(), events=0, **self._usage())]
        self._sinks: dict[str, int] = {}
        self._moved_at = time.monotonic()

    def to_the_end(self, submitted_at: float) -> Watched:
        while (state := self._look())["state"] not in _ENDED:
            self._refuse_failures(state)
            time.sleep(_POLL_AT_END_S if self._near_end() else _POLL_S)
        if state["state"] != "FINISHED":
            self._refuse_failures(state)
        return Watched(
            submitted_at=submitted_at,
            running_at=state["timestamps"]["RUNNING"] / 1000,
            ended_at=state["timestamps"]["FINISHED"] / 1000,
            samples=self._samples,
            sinks=self._sinks,
        )

    def _look(self) -> dict[str, Any]:
        self._rest.metric(self._id, "uptime")  # makes the JobManager collect all figures
        at, used = time.time(), self._usage()
        time.sleep(_COLLECT_S)
        state = self._rest.job(self._id)
        events = events_read(state) * self._job.events_per_read
        if events > self._samples[-1].events:
            self._moved_at = time.monotonic()
        self._samples.append(Sample(at=at, events=max(events, self._samples[-1].events), **used))
        if self._job.discards and self._near_end():
            self._sinks.update(self._taken(state))
        return state

    def _usage(self) -> dict[str, Any]:
        cpu, rss = usage(self._processes)
        return {"cpu_seconds": cpu, "rss_bytes": rss}

    def _near_end(self) -> bool:
        return self._samples[-1].events >= self._job.events * _END_SHARE

    def _taken(self, state: dict[str, Any]) -> dict[str, int]:
        """Rows that each sink has taken, by its table; the highest seen, as figures go with their tasks."""
        taken = dict(self._sinks)
        for vertex in state["vertices"]:
            found = self._rest.vertex_metrics(self._id, str(vertex["id"]), lambda name: sink_of(name) is not None)
            for name, values in found.items():
                table = str(sink_of(name))
                taken[table] = max(taken.get(table, 0), round(sum(values)))
        return taken

    def _refuse_failures(self, state: dict[str, Any]) -> None:
        failures = self._rest.exceptions(self._id)
        stuck = time.monotonic() - self._moved_at > _STUCK_S
        if not failures and not stuck and state["state"] not in _ENDED:
            return
        if state["state"] not in _ENDED:
            self._rest.cancel(self._id)
        cause = root_cause(str(failures[0]["stacktrace"])) if failures else f"no event read in {_STUCK_S:.0f} s"
        raise ContenderError(f"{state['name']}: {cause}; see {flink.flink_folder(self._settings) / 'log'}")


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
    return next((table for table in (*EVENT_TABLES, "sequence_gaps", "quarantined_events") if table in name), None)


def _free_offset(settings: LocalSettings) -> int:
    for offset in _PORT_OFFSETS:
        try:
            processes.check_ports(msgspec.structs.replace(settings, port_offset=offset), _PORTS)
        except CodewaveError:
            continue
        return offset
    raise ContenderError("flink: no free ports for the benchmark's cluster")
