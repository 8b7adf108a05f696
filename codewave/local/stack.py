"""The local stack as a whole: bring it up, take it down, say what runs."""

import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal

from msgspec import Struct

from codewave.errors import CodewaveError
from codewave.local import catalog, kinesis, opensearch_node, processes
from codewave.local.namespace import LIVE
from codewave.local.opensearch import search_answers, search_url
from codewave.local.settings import LocalSettings

Report = Callable[[str, str], None]
"""Called with a part's name and what it does now."""

FLINK: Final = "flink"
_JOB_MANAGER: Final = "flink-jobmanager"
_FLINK_PORTS: Final = ("flink", "flink_rpc", "flink_blob")
_LOCK_DEADLINE_S: Final = 300.0
_POLL_S: Final = 0.2


class PartStatus(Struct, frozen=True, kw_only=True):
    """How one part of the stack is."""

    name: str
    state: Literal["up", "down", "not answering"]
    pid: int | None
    port: int
    url: str
    memory_mb: int | None
    """Resident memory of its processes together."""
    detail: str


class StackStatus(Struct, frozen=True):
    """How the stack is; ``up`` if every part is."""

    up: bool
    parts: list[PartStatus]


def up(settings: LocalSettings, report: Report) -> StackStatus:
    """Start what does not run, and make the live namespace's stream, tables and index templates.

    A stack that runs already is left as it is; what an interrupted start left behind is replaced.

    :raises CodewaveError: naming a port that is in use before anything is started, or the first part that failed;
        parts that did start stay up, and the next ``up`` goes on from there.
    """
    with _lock(settings, report):
        _check_ports(settings)
        _start_together(settings, report)
        return status(settings)


def down(settings: LocalSettings, report: Report) -> list[str]:
    """Stop every process of the stack; data stays, except the stream's records.

    :returns: names of the parts that ran.
    """
    from codewave.local.flink import stop_cluster

    stoppers: dict[str, Callable[[LocalSettings], bool]] = {
        FLINK: stop_cluster,
        opensearch_node.NAME: opensearch_node.stop_opensearch,
        catalog.NAME: catalog.stop_catalog,
        kinesis.NAME: kinesis.stop_kinesis,
    }
    with _lock(settings, report):
        # Flink first: its job would report the others' end as failures.
        stopped = [name for name, stop in stoppers.items() if _reported_stop(settings, name, stop, report)]
        return stopped + [name for name in _leftovers(settings) if processes.stop(settings, name)]


def status(settings: LocalSettings) -> StackStatus:
    """Look at every part, starting nothing."""
    parts = [
        _part(settings, kinesis.NAME, settings.kinesis_endpoint, kinesis.kinesis_answers, kinesis.NOT_DURABLE),
        _part(
            settings,
            catalog.NAME,
            settings.catalog_uri,
            catalog.catalog_answers,
            f"files in {settings.data_folder}/warehouse",
        ),
        _part(settings, opensearch_node.NAME, search_url(settings), search_answers, "TLS, users and passwords"),
        _flink_part(settings),
    ]
    return StackStatus(up=all(part.state == "up" for part in parts), parts=parts)


def _start_kinesis(settings: LocalSettings) -> None:
    kinesis.start_kinesis(settings)
    kinesis.create_stream(settings, LIVE)


def _start_catalog(settings: LocalSettings) -> None:
    from iceberg.apply import apply_tables

    catalog.start_catalog(settings)
    apply_tables(settings, LIVE)


def _start_opensearch(settings: LocalSettings) -> None:
    from codewave.local.opensearch import apply_templates

    opensearch_node.start_opensearch(settings)
    apply_templates(settings, LIVE)


def _start_flink(settings: LocalSettings) -> None:
    from codewave.local.flink import start_cluster

    start_cluster(settings)


_STARTERS: Final[dict[str, Callable[[LocalSettings], None]]] = {
    opensearch_node.NAME: _start_opensearch,
    FLINK: _start_flink,
    catalog.NAME: _start_catalog,
    kinesis.NAME: _start_kinesis,
}
"""The slowest first: all start together."""


def _start_together(settings: LocalSettings, report: Report) -> None:
    failures: dict[str, Exception] = {}

    def start(name: str) -> None:
        begin = time.monotonic()
        report(name, "starting")
        try:
            _STARTERS[name](settings)
        except Exception as error:  # noqa: BLE001 - raised again below, in the thread that people see
            failures[name] = error
            report(name, "failed")
        else:
            report(name, f"up after {time.monotonic() - begin:.1f} s")

    # Daemon threads: Ctrl-C ends the command at once, whatever a part is still waiting for.
    threads = [threading.Thread(target=start, args=(name,), daemon=True) for name in _STARTERS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures.values():
        raise failure


def _reported_stop(settings: LocalSettings, name: str, stop: Callable[[LocalSettings], bool], report: Report) -> bool:
    report(name, "stopping")
    stopped = stop(settings)
    report(name, "stopped" if stopped else "did not run")
    return stopped


def _check_ports(settings: LocalSettings) -> None:
    """Before anything starts: a stack half up and then stuck on a port would help nobody."""
    parts = {
        kinesis.NAME: ("kinesis",),
        catalog.NAME: ("catalog",),
        opensearch_node.NAME: opensearch_node.PORTS,
        _JOB_MANAGER: _FLINK_PORTS,
    }
    for name, ports in parts.items():
        if processes.running_pid(settings, name) is None:
            processes.stop(settings, name)  # what a crash left of it may still hold the port
            processes.check_ports(settings, ports)


def _part(
    settings: LocalSettings, name: str, url: str, answers: Callable[[LocalSettings], bool], detail: str
) -> PartStatus:
    pid = processes.running_pid(settings, name)
    state: Literal["up", "down", "not answering"] = "down"
    if pid is not None:
        state = "up" if answers(settings) else "not answering"
    return PartStatus(
        name=name,
        state=state,
        pid=pid,
        port=settings.port(name),
        url=url,
        memory_mb=processes.memory_mb(pid) if pid else None,
        detail=detail if state != "down" else "",
    )


def _flink_part(settings: LocalSettings) -> PartStatus:
    from codewave.local.flink import cluster_status

    cluster = cluster_status(settings)
    pids = [cluster.job_manager_pid, *(one.pid for one in cluster.task_managers)]
    registered = sum(one.registered for one in cluster.task_managers)
    complete = cluster.running and registered >= settings.task_managers
    memory = [processes.memory_mb(pid) or 0 for pid in pids if pid]
    return PartStatus(
        name=FLINK,
        state="up" if complete else "not answering" if cluster.job_manager_pid else "down",
        pid=cluster.job_manager_pid,
        port=settings.port("flink"),
        url=settings.flink_url,
        memory_mb=sum(memory) if memory else None,
        detail=f"{registered} of {settings.task_managers} TaskManagers, {cluster.jobs_running} jobs" if memory else "",
    )


def _leftovers(settings: LocalSettings) -> list[str]:
    """Names of processes that this stack started and that no part knows, such as TaskManagers of other settings."""
    return sorted(file.stem for file in processes.pid_file(settings, "").parent.glob("*.pid"))


@contextmanager
def _lock(settings: LocalSettings, report: Report) -> Iterator[None]:
    """One ``up`` or ``down`` at a time per data folder; the lock ends with the command, however it ends."""
    settings.data.mkdir(parents=True, exist_ok=True)
    with (settings.data / "stack.lock").open("a") as file:
        give_up = time.monotonic() + _LOCK_DEADLINE_S
        waiting = False
        while not _try_lock(file.fileno()):
            if not waiting:
                report("stack", "waiting for another `codewave up` or `codewave down`")
                waiting = True
            if time.monotonic() > give_up:
                raise CodewaveError(f"stack: {file.name} is held by another `codewave up` or `down`; end that first")
            time.sleep(_POLL_S)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
