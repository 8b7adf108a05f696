"""The Flink cluster of the benchmark: its life, and jobs on it that are submitted and watched to their end.

A real cluster, as the local stack's: a JobManager and TaskManagers as processes, RocksDB, a checkpoint every 5 s. It
has ports and a data folder of its own, so that it never meets a running stack. Every job gets new TaskManagers: none
profits from what another has warmed up, nor bears its memory.
"""

import fcntl
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

import msgspec
import psutil
from msgspec import Struct

from bench.contender import ContenderError
from bench.flink_samples import Watched
from bench.flink_watch import Target, Watch
from bench.ports import with_free_ports
from codewave.errors import CodewaveError
from codewave.local import catalog, flink, opensearch_node
from codewave.local.flink_rest import FlinkRest
from codewave.local.job_code import copy_code, job_folder
from codewave.local.job_properties import job_properties, write_properties
from codewave.local.namespace import Namespace
from codewave.local.settings import PROJECT_ROOT, LocalSettings, load_settings
from codewave.local.submission import Launch, submit

JOBS: Final = Path("bench/flink")
"""Entry points and statements, in the project and in the copy of the code that a job runs."""
_PORTS: Final = ("catalog", "opensearch", "opensearch_transport", "flink", "flink_rpc", "flink_blob")
_OPTIONS: Final = {
    # Figures are collected when they are asked for; by default no more often than every 10 s.
    "metrics.fetcher.update-interval": "10",
    # A job that is cancelled leaves nothing behind.
    "execution.checkpointing.externalized-checkpoint-retention": "DELETE_ON_CANCELLATION",
}


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
    endless: bool
    """Whether its sources wait for more at their end, so that its sinks can be asked for their counts."""


class _BenchLaunch(Launch, frozen=True, kw_only=True):
    folders: tuple[Path, ...]
    endless: bool

    def arguments(self, settings: LocalSettings, properties: Path) -> list[str]:
        words = super().arguments(settings, properties)
        words += [word for folder in self.folders for word in ("--sql", str(folder))]
        return [*words, "--endless"] if self.endless else words


class FlinkStack:
    """Catalog, cluster and, once a job asks for it, OpenSearch; started when they are first needed.

    :param task_managers: processes; ``slots``: subtasks in each.
    :param memory_mb: of each process; without it what the settings say.
    :param options: of Flink, for this cluster alone.
    """

    def __init__(
        self,
        task_managers: int = 1,
        slots: int = 1,
        memory_mb: int | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        base = load_settings()
        self.settings = msgspec.structs.replace(
            base,
            data_folder=str(base.data / "bench" / "flink"),
            task_managers=task_managers,
            task_manager_memory_mb=memory_mb or base.task_manager_memory_mb,
            parallelism=task_managers * slots,
        )
        self._options = _OPTIONS | {"taskmanager.numberOfTaskSlots": str(slots)} | dict(options or {})
        self._lock: IO[str] | None = None

    @property
    def running(self) -> bool:
        """Whether it has been started."""
        return self._lock is not None

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
            target = Target(
                job_id=submit(self.settings, *self._launch(job)),
                submitted_at=submitted_at,
                events=job.events,
                events_per_read=job.events_per_read,
                endless=job.endless,
            )
            pids = [psutil.Process(pid) for pid in flink.task_manager_pids(self.settings)]
            log = f"see {flink.flink_folder(self.settings) / 'log'}"
            return Watch(FlinkRest(self.settings.flink_url), pids, target, log).to_the_end()
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
        self.settings = with_free_ports(self.settings, _PORTS)
        catalog.start_catalog(self.settings)
        flink.start_cluster(self.settings, self._options)

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
            endless=job.endless,
        )
        file = job_folder(self.settings, launch.name) / "application_properties.json"
        write_properties(file, properties)
        return launch, file
