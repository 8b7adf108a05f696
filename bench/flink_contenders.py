"""The contenders that run on Flink: this pipeline's own job, Flink SQL alone, and PyFlink event by event.

All get the same cluster, checkpoints and sinks; each reads the input in the form that suits it: the job whole records
as the stream would bring them, the others events that somebody has unpacked for them already.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from bench.contender import ContenderError, Measurement
from bench.flink_records import forget_stream, recorded_stream
from bench.flink_run import FlinkStack, Job
from bench.flink_samples import Watched
from bench.flink_watch import EVENT_TABLES
from bench.input import Input
from codewave.local.catalog import load_catalog
from codewave.local.namespace import Namespace
from codewave.local.opensearch import apply_templates, delete_indices
from iceberg.apply import apply_definitions, drop_tables, record_counts
from iceberg.definition import Column, TableDefinition, read_definitions

_FORBIDDEN: Final = ("sequence_gaps", "quarantined_events")
"""Tables that stay empty where every event comes in its order and is valid, as in the generated input."""
_PLAIN_PATCHES: Final = "patches"
"""The column of edits that plain SQL can only keep as JSON."""


class Way(Struct, frozen=True, kw_only=True):
    """How the task is done."""

    name: str
    title: str
    entry: str
    """The job's program."""
    statements: tuple[str, ...]
    discarding: tuple[str, ...]
    """Folders of statements; those of a discarding sink come first and take the place of the others."""
    takes_records: bool
    """Whether it reads whole records, or events."""
    tables: Callable[[], list[TableDefinition]]
    """The lake's tables that it writes."""
    slow: int = 1


class Sink(Struct, frozen=True, kw_only=True):
    """Where the rows go."""

    name: str
    title: str
    sinks: str
    slow: int = 1
    """As :attr:`Way.slow`; the two multiply."""

    @property
    def searches(self) -> bool:
        """Whether they go to OpenSearch."""
        return "search" in self.sinks

    @property
    def discards(self) -> bool:
        """Whether they go nowhere."""
        return self.name == "discard"


def plain_tables() -> list[TableDefinition]:
    """The tables of accepted events, with the patches of an edit as JSON."""
    return [_plain(definition) for definition in read_definitions() if definition.name in EVENT_TABLES]


def _plain(definition: TableDefinition) -> TableDefinition:
    columns = tuple(_as_text(column) if column.name == _PLAIN_PATCHES else column for column in definition.columns)
    return msgspec.structs.replace(definition, columns=columns)


def _as_text(column: Column) -> Column:
    return msgspec.structs.replace(column, type="string", fields=(), classification="user_content")


OURS: Final = Way(
    name="ours",
    title="This pipeline",
    entry="ours.py",
    statements=("recorded",),
    discarding=("endless", "discarded"),
    takes_records=True,
    tables=read_definitions,
)
SQL: Final = Way(
    name="sql",
    title="Flink SQL",
    entry="plain_sql.py",
    statements=("plain",),
    discarding=("endless", "plain_discarded", "discarded"),
    takes_records=False,
    tables=plain_tables,
)
PER_EVENT: Final = Way(
    name="pyflink",
    title="PyFlink, event by event",
    entry="per_event.py",
    statements=("plain",),
    discarding=("endless", "plain_discarded", "discarded"),
    takes_records=False,
    tables=plain_tables,
    slow=10,
)
DISCARD: Final = Sink(name="discard", title="discarding sink", sinks="lake")
ICEBERG: Final = Sink(name="iceberg", title="Iceberg", sinks="lake")
SEARCH: Final = Sink(name="iceberg-search", title="Iceberg and OpenSearch", sinks="lake,search", slow=4)


class FlinkContender:
    """One way with one sink; ``thorough``: it takes part in full runs alone.

    :param stack: shared with others.
    """

    def __init__(self, stack: FlinkStack, way: Way, sink: Sink) -> None:
        self.name = f"{way.name}-{sink.name}"
        self.title = f"{way.title}, to {sink.title}" if sink.discards else f"{way.title} → {sink.title}"
        self.slow = way.slow * sink.slow
        self.thorough = sink.searches
        self._stack = stack
        self._way = way
        self._sink = sink
        self._namespace = Namespace(self.name.replace("-", "_"))

    def run(self, data: Input) -> Measurement:
        """Process ``data`` once, from nothing: new processes, empty tables and indices.

        :raises ContenderError: if the job fails, or declares gaps or quarantines in an input without either.
        """
        watched = self.watch(data)
        return watched.measured(data.count, self.stored(watched))

    def watch(self, data: Input) -> Watched:
        """The same, with all that was seen on the way."""
        self._stack.start(search=self._sink.searches)
        settings = self._stack.settings
        if not self._sink.discards:
            drop_tables(settings, self._namespace.name)
            apply_definitions(load_catalog(settings), self._namespace, self._way.tables())
        if self._sink.searches:
            delete_indices(settings, self._namespace.name)
            apply_templates(settings, self._namespace.name)
        return self._stack.run(self._job(data))

    def forget(self, data: Input) -> None:
        """Remove what runs made of ``data``, as long as the cluster runs."""
        if self._stack.running:
            forget_stream(load_catalog(self._stack.settings), data)

    def close(self) -> None:
        """End the cluster; another contender that shares it starts it again."""
        self._stack.close()

    def _job(self, data: Input) -> Job:
        way = self._way
        catalog = load_catalog(self._stack.settings)
        return Job(
            namespace=self._namespace.name,
            entry=way.entry,
            sinks=self._sink.sinks,
            statements=(*(way.discarding if self._sink.discards else ()), *way.statements),
            stream=recorded_stream(catalog, data) if way.takes_records else str(data.folder),
            events_per_read=data.spec.events_per_record if way.takes_records else 1,
            events=data.count,
            endless=self._sink.discards,
        )

    def stored(self, watched: Watched) -> int:
        """Events that a run put out.

        :raises ContenderError: if it declared gaps or quarantined anything.
        """
        if self._sink.discards:
            counts = watched.sinks
        else:
            counts = record_counts(load_catalog(self._stack.settings), self._namespace)
        if found := {table: counts[table] for table in _FORBIDDEN if counts.get(table)}:
            raise ContenderError(f"{self.name}: {found} rows: events came out of order, or were refused")
        return sum(counts.get(table, 0) for table in EVENT_TABLES)


def flink_contenders(
    task_managers: int = 1, slots: int = 1, memory_mb: int | None = None, options: Mapping[str, str] | None = None
) -> list[FlinkContender]:
    """All contenders on one shared cluster, which starts with the first run.

    :param task_managers: processes; ``slots``: subtasks in each. An input has as many partitions as there are subtasks.
    :param memory_mb: of each process; without it what the settings say.
    :param options: of Flink, for this cluster alone.
    """
    stack = FlinkStack(task_managers, slots, memory_mb, options)
    pairs = [(way, sink) for sink in (DISCARD, ICEBERG) for way in (OURS, SQL, PER_EVENT)]
    pairs += [(way, SEARCH) for way in (OURS, SQL)]
    return [FlinkContender(stack, way, sink) for way, sink in pairs]
