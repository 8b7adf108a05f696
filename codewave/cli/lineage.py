"""``codewave lineage``: what feeds a table or column, and what it feeds."""

from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from codewave.cli.output import JsonOption, console, emit
from codewave.errors import WrongUseError

if TYPE_CHECKING:
    from rich.tree import Tree

    from iceberg.lineage.columns import Field
    from iceberg.lineage.graph import Branch, FieldBranch, Graph


class ColumnLineage(Struct):
    """One column."""

    column: str
    sources: "tuple[FieldBranch, ...]"
    uses: "tuple[FieldBranch, ...]"


class DatasetLineage(Struct):
    """The answer."""

    dataset: str
    kind: str
    upstream: "tuple[Branch, ...]"
    downstream: "tuple[Branch, ...]"
    columns: list[ColumnLineage]
    """Empty unless asked for."""


def register(app: typer.Typer) -> None:
    """Add ``lineage``."""
    app.command("lineage")(_command)


def _command(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A table, an index, or TABLE.COLUMN.")],
    columns: Annotated[bool, typer.Option("--columns", help="Column by column.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what feeds a table, back to the stream, and what it feeds.

    Read from the SQL of the Flink job and of the derived tables; nothing has to run.
    """
    from iceberg.lineage.graph import known_graph

    graph = known_graph()
    name, _, column = table.partition(".")
    dataset = graph.dataset(name)
    known = graph.columns(name)
    if column and column not in known:
        raise WrongUseError(f"lineage: {name} has no column {column!r} that is known of; there are: {', '.join(known)}")
    chosen = [column] if column else list(known) if columns else []
    answer = DatasetLineage(
        dataset.name,
        dataset.kind,
        graph.upstream(dataset),
        graph.downstream(dataset),
        [_column(graph, name, one) for one in chosen],
    )
    emit(answer, as_json=as_json, show=_show)


def _column(graph: "Graph", dataset: str, column: str) -> ColumnLineage:
    from iceberg.lineage.columns import Field

    field = Field(dataset, column)
    return ColumnLineage(column, graph.column_sources(field), graph.column_uses(field))


def _show(answer: DatasetLineage) -> None:
    if answer.columns:
        for column in answer.columns:
            _show_column(answer.dataset, column)
        return
    _show_ways(f"{answer.dataset} ({answer.kind})", "fed by", answer.upstream, "feeds", answer.downstream)


def _show_ways(
    title: str, up: str, upstream: "tuple[Branch, ...]", down: str, downstream: "tuple[Branch, ...]"
) -> None:
    from rich.tree import Tree

    tree = Tree(f"[bold]{title}[/bold]")
    for label, branches in ((up, upstream), (down, downstream)):
        _grow(tree.add(label, style="dim") if branches else tree.add(f"{label} nothing", style="dim"), branches)
    console.print(tree)


def _grow(tree: "Tree", branches: "tuple[Branch, ...]") -> None:
    for one in branches:
        again = "  [dim](a circle)[/dim]" if one.again else ""
        _grow(tree.add(f"{one.dataset}  [dim]{one.job}[/dim]{again}", style="none"), one.branches)


def _show_column(dataset: str, column: ColumnLineage) -> None:
    from rich.tree import Tree

    tree = Tree(f"[bold]{dataset}.{column.column}[/bold]")
    for label, branches in (("comes from", column.sources), ("goes into", column.uses)):
        if branches:
            _grow_fields(tree.add(label, style="dim"), branches)
    if not column.sources:
        tree.add("comes from no column: a constant, or a count of rows", style="dim")
    console.print(tree)


def _grow_fields(tree: "Tree", branches: "tuple[FieldBranch, ...]") -> None:
    for one in branches:
        again = "  [dim](a circle)[/dim]" if one.again else ""
        _grow_fields(tree.add(f"{_path(one.field)}  [dim]{one.how}[/dim]{again}", style="none"), one.branches)


def _path(field: "Field") -> str:
    return f"{field.dataset}.{field.column}"
