"""Configuration of the local Flink cluster: memory, ports, checkpoints and logging, written as Flink's own files.

Everything is spelled out, so that a process starts from its command line alone: no script has to start a Java
process first to calculate memory sizes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from msgspec import Struct

from codewave.errors import WrongUseError
from codewave.local.settings import LOOPBACK, LocalSettings

FLINK_PACKAGE: Final = Path("lib/python3.11/site-packages/pyflink")
"""Flink's home inside the Python environment that holds apache-flink."""

RETAINED_CHECKPOINTS: Final = 3
TOLERATED_FAILED_CHECKPOINTS: Final = 60
"""In a row; five minutes at the default interval. Where the disk is full, a restart helps nothing and reads everything
since the last checkpoint again; but what hangs may be cured by it."""

_FRAMEWORK_HEAP_MB: Final = 128
_DIRECT_MB: Final = 128
_NETWORK_MB: Final = 64
_MANAGED_MB: Final = 256
"""RocksDB's block cache and write buffers; the sequencer's state is small."""
_TASK_METASPACE_MB: Final = 320
_TASK_OVERHEAD_MB: Final = 256
"""Room for the Python interpreter, which lives in the TaskManager's process."""
_JOB_METASPACE_MB: Final = 256
_JOB_OVERHEAD_MB: Final = 128
_SMALLEST_HEAP_MB: Final = 256

_LOG_PATTERN: Final = "%d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n"


class TaskManagerMemory(Struct, frozen=True, kw_only=True):
    """How a TaskManager's memory is divided, in MiB; names as in Flink's memory model."""

    task_heap: int
    framework_heap: int = _FRAMEWORK_HEAP_MB
    direct: int = _DIRECT_MB
    network: int = _NETWORK_MB
    managed: int = _MANAGED_MB
    metaspace: int = _TASK_METASPACE_MB
    overhead: int = _TASK_OVERHEAD_MB

    @property
    def total(self) -> int:
        """What the process may use."""
        heap = self.task_heap + self.framework_heap
        return heap + self.direct + self.network + self.managed + self.metaspace + self.overhead

    def options(self) -> dict[str, str]:
        """Flink's options; a TaskManager refuses to start if one of them is missing."""
        sizes = {
            "task.heap.size": self.task_heap,
            "task.off-heap.size": 0,
            "framework.heap.size": self.framework_heap,
            "framework.off-heap.size": self.direct,
            "network.min": self.network,
            "network.max": self.network,
            "managed.size": self.managed,
            "jvm-metaspace.size": self.metaspace,
            "jvm-overhead.min": self.overhead,
            "jvm-overhead.max": self.overhead,
        }
        return {f"taskmanager.memory.{name}": f"{size}m" for name, size in sizes.items()}

    def java_options(self) -> list[str]:
        """The Java process' own limits, which must agree with ``options``."""
        return [
            f"-Xmx{self.task_heap + self.framework_heap}m",
            f"-XX:MaxDirectMemorySize={self.direct + self.network}m",
            f"-XX:MaxMetaspaceSize={self.metaspace}m",
        ]


class JobManagerMemory(Struct, frozen=True, kw_only=True):
    """How the JobManager's memory is divided, in MiB."""

    heap: int
    direct: int = _DIRECT_MB
    metaspace: int = _JOB_METASPACE_MB
    overhead: int = _JOB_OVERHEAD_MB

    def options(self) -> dict[str, str]:
        """Flink's options."""
        sizes = {
            "heap.size": self.heap,
            "off-heap.size": self.direct,
            "jvm-metaspace.size": self.metaspace,
            "jvm-overhead.min": self.overhead,
            "jvm-overhead.max": self.overhead,
        }
        return {f"jobmanager.memory.{name}": f"{size}m" for name, size in sizes.items()}

    def java_options(self) -> list[str]:
        """The Java process' own limits."""
        return [f"-Xmx{self.heap}m", f"-XX:MaxMetaspaceSize={self.metaspace}m"]


def task_manager_memory(settings: LocalSettings) -> TaskManagerMemory:
    """Divide ``task_manager_memory_mb``: fixed parts first, the rest is heap for the job.

    :raises WrongUseError: when too little would be left for the heap.
    """
    fixed = TaskManagerMemory(task_heap=0).total
    return TaskManagerMemory(task_heap=_rest("task_manager_memory_mb", settings.task_manager_memory_mb, fixed))


def job_manager_memory(settings: LocalSettings) -> JobManagerMemory:
    """Divide ``job_manager_memory_mb`` in the same way.

    :raises WrongUseError: when too little would be left for the heap.
    """
    fixed = _DIRECT_MB + _JOB_METASPACE_MB + _JOB_OVERHEAD_MB
    return JobManagerMemory(heap=_rest("job_manager_memory_mb", settings.job_manager_memory_mb, fixed))


def _rest(setting: str, total: int, fixed: int) -> int:
    if total - fixed < _SMALLEST_HEAP_MB:
        raise WrongUseError(f"{setting} is {total}: Flink needs at least {fixed + _SMALLEST_HEAP_MB}; raise it")
    return total - fixed


def cluster_options(settings: LocalSettings, java_options: str) -> dict[str, str]:
    """Every Flink option of the cluster, by its full name.

    :param java_options: what Flink needs opened in Java 17, from the package's own configuration.
    """
    return {
        "env.java.opts.all": java_options,
        **_addresses(settings),
        **job_manager_memory(settings).options(),
        **task_manager_memory(settings).options(),
        "taskmanager.numberOfTaskSlots": "1",
        "taskmanager.cpu.cores": "1.0",
        "flink.hadoop.fs.file.impl": "dev.codewave.lake.LocalFiles",
        "parallelism.default": str(settings.parallelism),
        **_checkpoints(settings),
        **_failure_handling(),
    }


def _addresses(settings: LocalSettings) -> dict[str, str]:
    """Loopback for every listener; ports that nobody has to know are left to the system."""
    port = str(settings.port("flink"))
    return {
        "jobmanager.rpc.address": LOOPBACK,
        "jobmanager.rpc.port": str(settings.port("flink_rpc")),
        "jobmanager.bind-host": LOOPBACK,
        "blob.server.port": str(settings.port("flink_blob")),
        "taskmanager.host": LOOPBACK,
        "taskmanager.bind-host": LOOPBACK,
        "rest.address": LOOPBACK,
        "rest.bind-address": LOOPBACK,
        "rest.port": port,
        "rest.bind-port": port,
        # Nobody may hand the cluster a jar through the browser; the command line does not need this door.
        "web.submit.enable": "false",
    }


def _checkpoints(settings: LocalSettings) -> dict[str, str]:
    return {
        "state.backend.type": "rocksdb",
        "execution.checkpointing.dir": (settings.data / "checkpoints").as_uri(),
        "execution.checkpointing.savepoint-dir": (settings.data / "savepoints").as_uri(),
        "execution.checkpointing.incremental": "true",
        "execution.checkpointing.num-retained": str(RETAINED_CHECKPOINTS),
        "execution.checkpointing.tolerable-failed-checkpoints": str(TOLERATED_FAILED_CHECKPOINTS),
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    }


def _failure_handling() -> dict[str, str]:
    """Notice a dead process within seconds, and keep trying: a part of the stack may be away for a while."""
    return {
        "heartbeat.interval": "2000",
        "heartbeat.timeout": "8000",
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "1 s",
        "restart-strategy.exponential-delay.max-backoff": "10 s",
        "restart-strategy.exponential-delay.backoff-multiplier": "1.5",
        "restart-strategy.exponential-delay.reset-backoff-threshold": "1 min",
        "restart-strategy.exponential-delay.jitter-factor": "0",
        "task.cancellation.timeout": "30000",
    }


def stock_java_options(flink_home: Path) -> str:
    """What the package's own configuration opens in Java 17.

    :raises WrongUseError: if the Flink environment is not installed.
    """
    file = flink_home / "conf" / "config.yaml"
    if not file.exists():
        raise WrongUseError(f"Flink is not installed ({file} is missing): run `make setup`")
    stock: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return str(stock["env"]["java"]["opts"]["all"])


def write_configuration(
    settings: LocalSettings, flink_home: Path, folder: Path, options: Mapping[str, str] | None = None
) -> None:
    """Write ``config.yaml`` and the logging configuration into ``folder``.

    :param options: of Flink, that replace or add to the cluster's own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    every = cluster_options(settings, stock_java_options(flink_home)) | dict(options or {})
    (folder / "config.yaml").write_text(yaml.safe_dump(every, width=10_000), encoding="utf-8")
    for name in ("log4j-console.properties", "log4j-cli.properties"):
        (folder / name).write_text(_logging(), encoding="utf-8")


def _logging() -> str:
    """Log into one file of bounded size; the console shows errors only."""
    return f"""\
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = File
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = {_LOG_PATTERN}
appender.console.filter.threshold.type = ThresholdFilter
appender.console.filter.threshold.level = ERROR
appender.file.name = File
appender.file.type = RollingFile
appender.file.fileName = ${{sys:log.file}}
appender.file.filePattern = ${{sys:log.file}}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = {_LOG_PATTERN}
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 20MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
logger.pekko.name = org.apache.pekko
logger.pekko.level = WARN
logger.types.name = org.apache.flink.api.java.typeutils
logger.types.level = WARN
logger.hadoop.name = org.apache.hadoop
logger.hadoop.level = WARN
logger.kinesis.name = software.amazon.kinesis
logger.kinesis.level = WARN
"""
