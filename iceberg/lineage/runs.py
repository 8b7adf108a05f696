"""Telling of runs as they happen: an event at the start and one at the end, well or not.

Lineage is told about work and never stops it: what cannot be delivered is logged as a warning.
"""

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from codewave.errors import CodewaveError
from codewave.local.namespace import Namespace

if TYPE_CHECKING:
    from pathlib import Path

    from iceberg.lake import Lake
    from iceberg.lineage.events import Facts, Run, State
    from iceberg.lineage.graph import Job
    from iceberg.lineage.transports import Transport

_LOG: Final = logging.getLogger(__name__)


@contextmanager
def run(  # noqa: PLR0913 (what an event can say)
    lake: "Lake",
    job: str,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] = (),
    *,
    interval: tuple[datetime, datetime] | None = None,
    parent: tuple[str, str] | None = None,
    run_id: str | None = None,
    transport: "Transport | None" = None,
) -> Iterator["Run"]:
    """Tell that ``job`` starts, and when the block is left, that it is complete or has failed.

    :param job: name of the task, such as ``derive executions``.
    :param inputs: names of tables that it reads; default what the queries of ``outputs`` read.
    :param outputs: names of tables that it writes.
    :param interval: start and end of the time that the run is about, UTC.
    :param parent: run id (a UUID) and job name of what started it.
    :param run_id: a UUID; default a new one. The same one again continues that run.
    :param transport: where events go; default as the lake's catalog says.
    :raises Exception: what the block raises; never anything about the events themselves.
    """
    from iceberg.lineage.events import Run
    from iceberg.lineage.naming import naming_of
    from iceberg.lineage.transports import transport_for

    told = Run(id=run_id or str(uuid.uuid4()), job=_job(job, inputs, outputs), parent=parent, interval=interval)
    way = transport or transport_for(lake.state, lake.catalog.properties)
    naming = naming_of(lake.namespace, lake.catalog.properties)

    def emit(state: "State", error: str = "") -> None:
        from iceberg.lineage.events import run_event

        _deliver(way, lambda: run_event(told, state, datetime.now(UTC), naming, _facts(lake, told.job, error)), told)

    emit("START")
    try:
        yield told
    except BaseException as error:
        emit("FAIL" if isinstance(error, Exception) else "ABORT", f"{type(error).__name__}: {error}")
        raise
    emit("COMPLETE")


def tell_stream_job(state: "Path", namespace: Namespace, sinks: str, flink_id: str, what: "State") -> None:
    """Tell of the Flink job: that it started, was stopped (complete) or cancelled (abort).

    :param state: the lake's folder of state on this machine.
    :param sinks: any of raw, lake, search, separated by commas.
    :param flink_id: Flink's id of the job, 32 hexadecimal digits: the run's id, so that start and end find together.
    """
    from iceberg.definition import read_definitions
    from iceberg.lineage.events import Facts, Run, run_event
    from iceberg.lineage.naming import Naming
    from iceberg.lineage.stream_job import stream_job
    from iceberg.lineage.transports import EVENTS_FILE, LineageFile

    def event() -> object:
        told = Run(id=str(uuid.UUID(hex=flink_id)), job=stream_job(sinks), kind="STREAMING")
        definitions = {one.name: one for one in read_definitions()}
        return run_event(told, what, datetime.now(UTC), Naming(namespace), Facts(definitions=definitions))

    _deliver(LineageFile(state / EVENTS_FILE), event, flink_id)


def _deliver(transport: "Transport", make: Callable[[], object], told: object) -> None:
    try:
        transport.emit(make())  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 (whatever it is)
        _LOG.warning("lineage: an event was not delivered; the work goes on: %s", told, exc_info=True)


def _job(name: str, inputs: Sequence[str] | None, outputs: Sequence[str]) -> "Job":
    from iceberg.lineage.graph import Dataset, Job

    known = [job for job in (_known(output) for output in outputs) if job]
    read = {Dataset(one, "table") for one in inputs or ()}
    if inputs is None:
        read = {dataset for job in known for dataset in job.inputs}
    wanted = {one.name for one in read}
    written = set(outputs)
    columns = (edge for job in known for edge in job.columns)
    return Job(
        name=name,
        inputs=tuple(sorted(read)),
        outputs=tuple(Dataset(one, "table") for one in outputs),
        columns=tuple(one for one in columns if one.target.dataset in written and one.source.dataset in wanted),
        sql=known[0].sql if len(known) == 1 else "",
    )


def _known(table: str) -> "Job | None":
    from iceberg.lineage.graph import known_graph

    try:
        return known_graph().job_of(table)
    except CodewaveError:
        _LOG.warning("lineage: the graph cannot be read; events have no columns", exc_info=True)
    return None


def _facts(lake: "Lake", job: "Job", error: str) -> "Facts":
    from iceberg.lineage.events import Facts

    definitions = {one.name: one for one in lake.definitions}
    tables = {one.name for one in (*job.inputs, *job.outputs) if one.kind == "table"}
    versions = {table: version for table in tables if (version := _version(lake, table))}
    return Facts(definitions=definitions, versions=versions, error=error)


def _version(lake: "Lake", table: str) -> str:
    try:
        snapshot = lake.load(table).current_snapshot()
    except CodewaveError:
        return ""
    return str(snapshot.snapshot_id) if snapshot else ""
