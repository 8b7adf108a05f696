"""``codewave tables``: the lake's tables, from their folders."""

from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from codewave.cli.derive import derive_command
from codewave.cli.maintenance import add_maintenance
from codewave.cli.output import JsonOption, console, emit
from codewave.errors import WrongUseError
from codewave.local.namespace import LIVE, Namespace
from codewave.local.settings import load_settings

if TYPE_CHECKING:
    from iceberg.apply import Change
    from iceberg.definition import Column, TableDefinition

NamespaceOption = Annotated[str, typer.Option(help="Namespace of the lake.")]


class TableSummary(Struct):
    """One line of ``tables list``."""

    name: str
    row: str
    owner: str
    written_by: str
    retention_days: int
    exists: bool
    records: int
    """By its newest snapshot."""


def register(app: typer.Typer) -> None:
    """Add ``tables``."""
    group = typer.Typer(help="The lake's tables: create, evolve, look at, derive.", no_args_is_help=True)
    group.command("apply")(_apply)
    group.command("list")(_list)
    group.command("describe")(_describe)
    group.command("derive")(derive_command)
    add_maintenance(group)
    app.add_typer(group, name="tables")


def _apply(namespace: NamespaceOption = LIVE, as_json: JsonOption = False) -> None:
    """Create the tables and bring those that exist to what their folders say, where that is safe.

    Safe: new columns, wider types, descriptions, sort order, properties. Anything else is refused with its reason,
    and then nothing is changed.
    """
    from iceberg.apply import apply_tables

    emit(apply_tables(load_settings(), namespace), as_json=as_json, show=_show_changes)


def _show_changes(changes: "list[Change]") -> None:
    for change in changes:
        console.print(f"{change.table}: {change.action}: {change.detail}", markup=False)
    if not changes:
        console.print("nothing to do")


def _list(namespace: NamespaceOption = LIVE, as_json: JsonOption = False) -> None:
    """List the tables and how many rows they hold."""
    emit(_summaries(namespace), as_json=as_json, show=_show_summaries)


def _summaries(namespace: str) -> list[TableSummary]:
    from codewave.local.catalog import load_catalog
    from iceberg.apply import record_counts
    from iceberg.definition import read_definitions

    counts = record_counts(load_catalog(load_settings()), Namespace(namespace))
    return [
        TableSummary(
            definition.name,
            definition.row,
            definition.owner,
            definition.written_by,
            definition.retention_days,
            definition.name in counts,
            counts.get(definition.name, 0),
        )
        for definition in read_definitions()
    ]


def _show_summaries(summaries: list[TableSummary]) -> None:
    from rich.table import Table

    table = Table("table", "one row is", "owner", "kept", show_edge=False)
    table.add_column("rows", justify="right")
    for one in summaries:
        rows = f"{one.records:,}" if one.exists else "not made yet"
        table.add_row(one.name, one.row, one.owner, f"{one.retention_days} d", rows)
    console.print(table)


def _describe(
    table: Annotated[str | None, typer.Argument(help="Default: every table.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Describe a table from its folder: columns, classification, partitions, retention."""
    from iceberg.definition import read_definitions

    known = {definition.name: definition for definition in read_definitions()}
    if table is not None and table not in known:
        raise WrongUseError(f"tables: no table {table!r}; tables: {', '.join(known)}")
    chosen = [known[table]] if table else list(known.values())
    emit(chosen, as_json=as_json, show=_show_definitions)


def _show_definitions(definitions: "list[TableDefinition]") -> None:
    from rich.table import Table

    for definition in definitions:
        console.print(definition.name, style="bold")
        console.print(f"{definition.description}\nOne row is {definition.row}.", markup=False)
        layout = f"partition {', '.join(definition.partition) or 'none'} · sort {', '.join(definition.sort)}"
        console.print(f"{layout} · kept {definition.retention_days} d · {definition.owner}", style="dim", markup=False)
        table = Table("column", "type", "class", "access", "description", show_edge=False)
        for column in definition.columns:
            _add_column(table.add_row, column, "")
        console.print(table)


def _add_column(add_row: "_AddRow", column: "Column", indent: str) -> None:
    kind = f"{column.type}{'' if column.required else '?'}"
    add_row(f"{indent}{column.name}", kind, column.classification or "", column.access_level, column.description)
    for field in column.fields:
        _add_column(add_row, field, f"{indent}  ")


if TYPE_CHECKING:
    from collections.abc import Callable

    _AddRow = Callable[[str, str, str, str, str], None]
