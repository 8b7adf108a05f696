"""The graph: which job makes which dataset out of which, and which column comes from which."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Final, Literal

from msgspec import Struct

from codewave.errors import WrongUseError
from iceberg.athena import source_tables
from iceberg.definition import TableDefinition, read_definitions
from iceberg.lineage.columns import ColumnEdge, Field, column_edges, schema_of

WRITTEN_BY_CODE: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "billing_seals": ("billing close", ("executions",)),
}
"""Tables that no query fills: what fills them, and what that reads."""
QUALITY: Final = frozenset({"quality_results", "quality_failures", "column_profiles"})
"""Filled by the gates, which look at every other table."""


class Dataset(Struct, frozen=True, order=True):
    """A stream, a table of the lake, or a search index."""

    name: str
    kind: Literal["stream", "table", "index"]


class Job(Struct, frozen=True, kw_only=True):
    """What makes datasets out of others."""

    name: str
    inputs: tuple[Dataset, ...]
    outputs: tuple[Dataset, ...]
    columns: tuple[ColumnEdge, ...] = ()
    operator: str = ""
    """The part of it that is not SQL."""
    sql: str = ""
    """The query, where it is one."""
    beside: bool = False
    """It looks at the data rather than passes it on: left out of the picture."""


class Branch(Struct, frozen=True, kw_only=True):
    """A dataset and what lies behind it, seen from another one."""

    dataset: str
    kind: str
    job: str
    """What connects it with the one before."""
    branches: tuple["Branch", ...] = ()
    again: bool = False
    """It is on the way already: a circle, not followed further."""


class FieldBranch(Struct, frozen=True, kw_only=True):
    """A column and what lies behind it, seen from another one."""

    field: Field
    how: str
    branches: tuple["FieldBranch", ...] = ()
    again: bool = False


class Graph(Struct, frozen=True):
    """All jobs."""

    jobs: tuple[Job, ...]

    def datasets(self) -> tuple[Dataset, ...]:
        """Every dataset that a job reads or writes, by kind and name."""
        found = {dataset for job in self.jobs for dataset in (*job.inputs, *job.outputs)}
        return tuple(sorted(found, key=lambda one: (one.kind, one.name)))

    def dataset(self, name: str) -> Dataset:
        """The dataset of that name, tables first.

        :raises WrongUseError: if no job reads or writes one.
        """
        known = self.datasets()
        for dataset in sorted(known, key=lambda one: one.kind != "table"):
            if dataset.name == name:
                return dataset
        names = ", ".join(sorted({one.name for one in known}))
        raise WrongUseError(f"lineage: no job reads or writes {name!r}; there are: {names}")

    def job_of(self, table: str) -> Job | None:
        """The job that writes a table; of the stream's jobs the one that writes the lake."""
        return next((job for job in self.jobs if Dataset(table, "table") in job.outputs), None)

    def upstream(self, dataset: Dataset) -> tuple[Branch, ...]:
        """What feeds a dataset, back to the stream."""
        return _branches(dataset, self._before, (dataset,))

    def downstream(self, dataset: Dataset) -> tuple[Branch, ...]:
        """What a dataset feeds."""
        return _branches(dataset, self._after, (dataset,))

    def column_sources(self, field: Field) -> tuple[FieldBranch, ...]:
        """Which columns a column comes from, back to the stream."""
        edges = self._edges()
        return _field_branches(
            field, lambda one: [(edge.source, edge.how) for edge in edges if edge.target == one], (field,)
        )

    def column_uses(self, field: Field) -> tuple[FieldBranch, ...]:
        """Which columns come from a column."""
        edges = self._edges()
        return _field_branches(
            field, lambda one: [(edge.target, edge.how) for edge in edges if edge.source == one], (field,)
        )

    def columns(self, dataset: str) -> tuple[str, ...]:
        """Columns of a dataset that an edge touches, in order of the alphabet."""
        fields = {field for edge in self._edges() for field in (edge.source, edge.target)}
        return tuple(sorted(field.column for field in fields if field.dataset == dataset))

    def _edges(self) -> list[ColumnEdge]:
        return [edge for job in self.jobs for edge in job.columns]

    def _before(self, dataset: Dataset) -> Iterator[tuple[Dataset, str]]:
        for job in self.jobs:
            if dataset in job.outputs:
                yield from ((one, job.name) for one in job.inputs)

    def _after(self, dataset: Dataset) -> Iterator[tuple[Dataset, str]]:
        for job in self.jobs:
            if dataset in job.inputs:
                yield from ((one, job.name) for one in job.outputs)


def lineage_graph(definitions: Iterable[TableDefinition] | None = None) -> Graph:
    """The graph of the project: the Flink job's SQL, and the queries of the derived tables.

    :param definitions: of the tables; default the project's.
    :raises CodewaveError: for a query that cannot be followed.
    """
    from iceberg.lineage.stream_job import stream_jobs

    tables = tuple(read_definitions() if definitions is None else definitions)
    derived = (_derived(one, tables) for one in tables)
    return Graph((*stream_jobs(), *(job for job in derived if job)))


@cache
def known_graph() -> Graph:
    """As :func:`lineage_graph` for the project's own folders, read once a process: following the SQL takes seconds."""
    return lineage_graph()


def _derived(table: TableDefinition, tables: tuple[TableDefinition, ...]) -> Job | None:
    output = (Dataset(table.name, "table"),)
    if table.derived:
        inputs = tuple(Dataset(name, "table") for name in sorted(source_tables(table.query)))
        edges = column_edges(table.name, table.query, schema_of(tables))
        return Job(name=f"derive {table.name}", inputs=inputs, outputs=output, columns=edges, sql=table.query)
    if table.name in WRITTEN_BY_CODE:
        name, sources = WRITTEN_BY_CODE[table.name]
        return Job(name=name, inputs=tuple(Dataset(one, "table") for one in sources), outputs=output)
    if table.name in QUALITY:
        watched = tuple(Dataset(one.name, "table") for one in tables if one.name not in QUALITY)
        return Job(name="quality gate", inputs=watched, outputs=output, beside=True)
    return None


def _branches(
    dataset: Dataset, step: Callable[[Dataset], Iterator[tuple[Dataset, str]]], way: tuple[Dataset, ...]
) -> tuple[Branch, ...]:
    return tuple(
        Branch(
            dataset=one.name,
            kind=one.kind,
            job=job,
            branches=() if one in way else _branches(one, step, (*way, one)),
            again=one in way,
        )
        for one, job in step(dataset)
    )


def _field_branches(
    field: Field, step: Callable[[Field], list[tuple[Field, str]]], way: tuple[Field, ...]
) -> tuple[FieldBranch, ...]:
    return tuple(
        FieldBranch(
            field=one,
            how=how,
            branches=() if one in way else _field_branches(one, step, (*way, one)),
            again=one in way,
        )
        for one, how in step(field)
    )
