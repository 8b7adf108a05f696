"""The local Flink cluster: one JobManager and one-slot TaskManagers, each a process of its own.

A process each, because thread-mode Python shares one interpreter, and so one interpreter lock, per process.
"""

import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from codewave.errors import CodewaveError
from codewave.local import flink_config, processes
from codewave.local.flink_rest import FlinkRest
from codewave.local.processes import ProcessSpec
from codewave.local.settings import PROJECT_ROOT, LocalSettings
from codewave.local.toolchain import find_java

FLINK_PYTHON: Final = PROJECT_ROOT / ".venv-flink"
"""The Python environment with apache-flink: its Flink runs the cluster, its Python the job."""

JOB_MANAGER: Final = "flink-jobmanager"
SUPERVISOR: Final = "flink-supervisor"
"""Replaces TaskManagers that die."""
HIDDEN_VARIABLES: Final = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""What the caller's environment may say about another Python."""

_TASK_MANAGER: Final = "flink-taskmanager-"
_JOB_MANAGER_CLASS: Final = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER_CLASS: Final = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_CONNECTORS_STAMP: Final = "connectors.stamp"
_START_DEADLINE_S: Final = 90.0
_KILL_DEADLINE_S: Final = 10.0
_POLL_S: Final = 0.2


class TaskManager(Struct, frozen=True):
    """One TaskManager process."""

    index: int
    pid: int | None
    """Nothing when the process does not run."""
    registered: bool
    """Whether the JobManager knows it."""


class ClusterStatus(Struct, frozen=True, kw_only=True):
    """What the cluster answers."""

    running: bool
    url: str
    slots: int = 0
    slots_free: int = 0
    jobs_running: int = 0
    job_manager_pid: int | None = None
    task_managers: tuple[TaskManager, ...] = ()


def flink_home() -> Path:
    """Flink's home: the folder of the installed pyflink package."""
    return FLINK_PYTHON / flink_config.FLINK_PACKAGE


def flink_folder(settings: LocalSettings) -> Path:
    """Where the cluster keeps its configuration, links, logs and records."""
    return settings.data / "flink"


def start_cluster(settings: LocalSettings, options: Mapping[str, str] | None = None) -> ClusterStatus:
    """Start what does not run yet, and wait until every TaskManager has registered.

    :param options: of Flink, that replace or add to the cluster's own where it is started afresh.
    :raises CodewaveError: if the cluster does not come up in time, with the end of the log.
    """
    if not _job_manager_runs(settings):
        # TaskManagers that outlived their JobManager hold slots of a cluster that is gone.
        stop_task_managers(settings)
        _prepare(settings, options)
        _start_job_manager(settings)
    replace_task_managers(settings)
    processes.wait_until(settings, JOB_MANAGER, FlinkRest(settings.flink_url).answers, _START_DEADLINE_S)
    wait_for_task_managers(settings, range(settings.task_managers))
    _start_supervisor(settings)
    return cluster_status(settings)


def stop_cluster(settings: LocalSettings) -> bool:
    """Stop every process of the cluster; a job that runs can be resumed from its last retained checkpoint.

    :returns: whether anything ran.
    """
    supervised = processes.stop(settings, SUPERVISOR)
    stopped = stop_task_managers(settings)
    return processes.stop(settings, JOB_MANAGER) or stopped or supervised


def cluster_status(settings: LocalSettings) -> ClusterStatus:
    """Look at the processes and ask the JobManager what it knows."""
    rest = FlinkRest(settings.flink_url)
    job_manager = processes.running_pid(settings, JOB_MANAGER)
    running = job_manager is not None and rest.answers()
    overview, registered = (rest.overview(), rest.task_manager_ids()) if running else ({}, set())
    return ClusterStatus(
        running=running,
        url=settings.flink_url,
        slots=overview.get("slots-total", 0),
        slots_free=overview.get("slots-available", 0),
        jobs_running=overview.get("jobs-running", 0),
        job_manager_pid=job_manager,
        task_managers=tuple(
            TaskManager(index, processes.running_pid(settings, _name(index)), registered=_name(index) in registered)
            for index in _indices(settings)
        ),
    )


def kill_task_manager(settings: LocalSettings, index: int) -> int:
    """Kill one TaskManager as a crash would (SIGKILL); returns the process id.

    :raises CodewaveError: if it does not run.
    """
    pid = processes.running_pid(settings, _name(index))
    if pid is None:
        raise CodewaveError(f"flink: TaskManager {index} does not run; `codewave status` lists those that do")
    with _task_managers_lock(settings):
        os.kill(pid, signal.SIGKILL)
        # What is left to do is to wait for the kernel, and to forget the process.
        processes.stop(settings, _name(index), _KILL_DEADLINE_S)
    return pid


def replace_task_managers(settings: LocalSettings) -> list[int]:
    """Start the TaskManagers that should run and do not, where there is a JobManager; returns their indices."""
    with _task_managers_lock(settings):
        if processes.running_pid(settings, JOB_MANAGER) is None:
            return []
        missing = [i for i in range(settings.task_managers) if processes.running_pid(settings, _name(i)) is None]
        for index in missing:
            _start_task_manager(settings, index)
        return missing


def restart_task_managers(settings: LocalSettings) -> None:
    """Give every TaskManager a new process, and with it a Python interpreter without loaded modules."""
    wanted = range(settings.task_managers)
    with _task_managers_lock(settings):
        _stop_task_managers(settings)
        for index in wanted:
            _start_task_manager(settings, index)
    wait_for_task_managers(settings, wanted)


def stop_task_managers(settings: LocalSettings) -> bool:
    """Stop every TaskManager, also those beyond ``settings.task_managers``; returns whether any ran."""
    with _task_managers_lock(settings):
        return _stop_task_managers(settings)


def _stop_task_managers(settings: LocalSettings) -> bool:
    names = [_name(index) for index in _indices(settings)]
    with ThreadPoolExecutor(max_workers=max(len(names), 1)) as pool:
        return any(list(pool.map(lambda name: processes.stop(settings, name), names)))


def task_manager_pids(settings: LocalSettings) -> set[int]:
    """Process ids of the TaskManagers that run."""
    return {pid for index in _indices(settings) if (pid := processes.running_pid(settings, _name(index)))}


def task_manager_pid(settings: LocalSettings, index: int) -> int | None:
    """Process id of one TaskManager, ``None`` where it does not run."""
    return processes.running_pid(settings, _name(index))


def log_file(settings: LocalSettings, name: str) -> Path:
    """Flink's log of one process; what Java itself prints, and errors, are in the stack's log of that name."""
    return flink_folder(settings) / "log" / f"{name}.log"


def flink_environment(settings: LocalSettings) -> dict[str, str]:
    """Variables that Flink's processes need beside the caller's, the command-line client among them."""
    home, own = flink_home(), flink_folder(settings)
    return {
        # Thread mode takes the first `python` on the path.
        "PATH": f"{FLINK_PYTHON / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "FLINK_HOME": str(home),
        "FLINK_BIN_DIR": str(home / "bin"),
        "FLINK_OPT_DIR": str(home / "opt"),
        "FLINK_PLUGINS_DIR": str(home / "plugins"),
        "FLINK_CONF_DIR": str(own / "conf"),
        "FLINK_LIB_DIR": str(own / "lib"),
        "FLINK_LOG_DIR": str(own / "log"),
    }


def java_command(settings: LocalSettings, name: str, main_class: str, options: Iterable[str] = ()) -> list[str]:
    """Command that runs one of Flink's programs in Java.

    Flink's own scripts end in the same command, after starting Java twice to calculate what ``flink_config`` says.

    :param name: names the log.
    :param options: of Java.
    """
    own = flink_folder(settings)
    return [
        str(find_java(settings)),
        *options,
        *flink_config.stock_java_options(flink_home()).split(),
        f"-Dlog.file={log_file(settings, name)}",
        f"-Dlog4j.configurationFile={(own / 'conf' / 'log4j-console.properties').as_uri()}",
        "-classpath",
        _class_path(settings),
        main_class,
    ]


def _prepare(settings: LocalSettings, options: Mapping[str, str] | None) -> None:
    """Write the configuration and link the jars afresh: settings may have changed since the last start."""
    own, home = flink_folder(settings), flink_home()
    (own / _CONNECTORS_STAMP).unlink(missing_ok=True)
    for folder in (own / "lib", own / "tmp"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    flink_config.write_configuration(settings, home, own / "conf", options)
    # flink-python is loaded once per process from here: from a job's own class loader, the second
    # thread-mode job in a TaskManager fails on Java 17 (NoSuchFieldException: loadedLibraryNames).
    for jar in [*home.glob("lib/*.jar"), *home.glob("opt/flink-python*.jar")]:
        (own / "lib" / jar.name).symlink_to(jar)
    # The connectors are on every process' class path as well: handed over with each job, they would be copied
    # once for every process and start.
    if (connectors := _connectors(settings)).exists():
        (own / _CONNECTORS_STAMP).write_text(_stamp(connectors), encoding="ascii")


def connectors_changed(settings: LocalSettings) -> bool:
    """Whether the connector jar is another one than the processes of the cluster have loaded."""
    loaded = flink_folder(settings) / _CONNECTORS_STAMP
    connectors = _connectors(settings)
    return connectors.exists() and (not loaded.exists() or loaded.read_text(encoding="ascii") != _stamp(connectors))


def _class_path(settings: LocalSettings) -> str:
    # The connectors come last: Flink's own classes win over copies that were shaded with a connector. For the same
    # reason they are not in the lib folder, from which pyflink takes jars in any order.
    jars = [*sorted((flink_folder(settings) / "lib").glob("*.jar")), _connectors(settings)]
    return os.pathsep.join(str(jar) for jar in jars)


def _connectors(settings: LocalSettings) -> Path:
    return settings.cache / "connectors" / "connectors.jar"


def _stamp(file: Path) -> str:
    facts = file.stat()
    return f"{facts.st_size} {facts.st_mtime_ns}"


def _start_job_manager(settings: LocalSettings) -> None:
    memory = flink_config.job_manager_memory(settings)
    command = java_command(settings, JOB_MANAGER, _JOB_MANAGER_CLASS, memory.java_options())
    arguments = [*_arguments(settings, JOB_MANAGER), "--executionMode", "cluster"]
    _start(settings, JOB_MANAGER, [*command, *arguments], ("flink", "flink_rpc", "flink_blob"))


def _start_task_manager(settings: LocalSettings, index: int) -> None:
    name = _name(index)
    if processes.running_pid(settings, name) is not None:
        return
    memory = flink_config.task_manager_memory(settings)
    command = java_command(settings, name, _TASK_MANAGER_CLASS, memory.java_options())
    _start(settings, name, [*command, *_arguments(settings, name), "-D", f"taskmanager.resource-id={name}"])


def _start(settings: LocalSettings, name: str, command: list[str], ports: tuple[str, ...] = ()) -> None:
    spec = ProcessSpec(
        name=name,
        command=command,
        folder=flink_folder(settings),
        environment=flink_environment(settings),
        without=HIDDEN_VARIABLES,
        ports=ports,
    )
    processes.start(settings, spec)


def _arguments(settings: LocalSettings, name: str) -> list[str]:
    """Arguments of every process; its scratch folder is emptied, since a killed process leaves its files."""
    own = flink_folder(settings)
    scratch = own / "tmp" / name
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    return ["--configDir", str(own / "conf"), "-D", f"io.tmp.dirs={scratch}"]


def _job_manager_runs(settings: LocalSettings) -> bool:
    """Whether the JobManager runs; one that does not answer is given a moment to, or to be gone."""
    rest = FlinkRest(settings.flink_url)
    give_up = time.monotonic() + _KILL_DEADLINE_S
    while processes.running_pid(settings, JOB_MANAGER) is not None:
        if rest.answers() or time.monotonic() > give_up:
            return True
        time.sleep(_POLL_S)
    return False


def _start_supervisor(settings: LocalSettings) -> None:
    if processes.running_pid(settings, SUPERVISOR) is None:
        command = [sys.executable, "-m", "codewave.local.supervisor", msgspec.json.encode(settings).decode()]
        processes.start(settings, ProcessSpec(name=SUPERVISOR, command=command, folder=PROJECT_ROOT))


@contextmanager
def _task_managers_lock(settings: LocalSettings) -> Iterator[None]:
    """One at a time starts or stops TaskManagers: a command, or the supervisor."""
    flink_folder(settings).mkdir(parents=True, exist_ok=True)
    with (flink_folder(settings) / "task-managers.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def wait_for_task_managers(settings: LocalSettings, indices: Iterable[int]) -> None:
    """Wait until these TaskManagers have registered.

    :raises CodewaveError: if one ends or does not register in time, with the end of its log.
    """
    for index in indices:
        processes.wait_until(settings, _name(index), lambda: _is_registered(settings, index), _START_DEADLINE_S)  # noqa: B023 (called before the next turn)


def _is_registered(settings: LocalSettings, index: int) -> bool:
    return _name(index) in FlinkRest(settings.flink_url).task_manager_ids()


def _name(index: int) -> str:
    return f"{_TASK_MANAGER}{index}"


def _indices(settings: LocalSettings) -> list[int]:
    """Indices of the TaskManagers that should run or that were started."""
    files = processes.pid_file(settings, JOB_MANAGER).parent.glob(f"{_TASK_MANAGER}*.pid")
    started = {int(file.stem.removeprefix(_TASK_MANAGER)) for file in files}
    return sorted(started | set(range(settings.task_managers)))
