"""How a table that exists differs from its definition: what can be changed safely, and what is refused and why."""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from msgspec import Struct, field
from pyiceberg.exceptions import ResolveError
from pyiceberg.partitioning import PartitionField
from pyiceberg.schema import Schema, promote
from pyiceberg.table import Table
from pyiceberg.table.sorting import NullOrder, SortField
from pyiceberg.table.update.schema import UpdateSchema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import ListType, NestedField, StructType

from iceberg.definition import Column, TableDefinition
from iceberg.schema import iceberg_type, partition_spec, sort_order

Path = tuple[str, ...]
"""Where a field is: ``("patches", "element", "position")``."""

Action = Literal["column added", "column widened", "described", "sorted", "property set"]

_FORMAT_VERSION: Final = "format-version"  # a property when a table is made, its own field of the metadata after that


class Added(Struct, frozen=True):
    """A column that the table does not have yet, and the one it comes after."""

    path: Path
    column: Column
    after: Path | None


class Evolution(Struct):
    """The steps from a table to its definition; ``refused`` says why the others cannot be taken."""

    table: str
    added: list[Added] = field(default_factory=list)
    widened: list[tuple[Path, Column]] = field(default_factory=list)
    described: list[tuple[Path, Column]] = field(default_factory=list)
    sort: tuple[str, ...] = ()
    """The new sort order; empty when it stays."""
    properties: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def steps(self) -> Iterator[tuple[Action, str]]:
        """What :meth:`carry_out` does, for a person."""
        for added in self.added:
            yield "column added", _dotted(added.path)
        for path, column in self.widened:
            yield "column widened", f"{_dotted(path)} to {column.type}"
        for path, _ in self.described:
            yield "described", _dotted(path)
        if self.sort:
            yield "sorted", ", ".join(self.sort)
        for key, value in self.properties.items():
            yield "property set", f"{key}={value}"

    def carry_out(self, table: Table) -> None:
        """Change the table, in one commit; nothing to do touches nothing."""
        if not any(True for _ in self.steps()):
            return
        with table.transaction() as transaction:
            if self.added or self.widened or self.described:
                with transaction.update_schema() as update:
                    self._update_schema(update)
            if self.sort:
                with transaction.update_sort_order() as order:
                    for name in self.sort:
                        order.asc(name, IdentityTransform(), NullOrder.NULLS_FIRST)
            if self.properties:
                transaction.set_properties(self.properties)

    def _update_schema(self, update: UpdateSchema) -> None:
        for added in self.added:
            update.add_column(added.path, iceberg_type(added.column), doc=added.column.description)
            if added.after:
                update.move_after(added.path, added.after)
            else:
                update.move_first(added.path)
        for path, column in self.widened:
            update.update_column(path, field_type=iceberg_type(column))
        for path, column in self.described:
            update.update_column(path, doc=column.description)


def evolution(definition: TableDefinition, table: Table) -> Evolution:
    """Compare a table with its definition."""
    plan = Evolution(definition.name)
    _compare_fields(plan, definition.columns, table.schema().fields, ())
    if not plan.refused:
        _compare_layout(plan, definition, table)
    wanted = definition.all_properties()
    if wanted.pop(_FORMAT_VERSION) != str(table.format_version):
        plan.refused.append(f"{definition.name}: format version is {table.format_version}; upgrade it by hand")
    plan.properties = {key: value for key, value in wanted.items() if table.properties.get(key) != value}
    return plan


def _compare_fields(plan: Evolution, columns: Sequence[Column], fields: Sequence[NestedField], prefix: Path) -> None:
    there = {old.name: old for old in fields}
    names = [column.name for column in columns]
    for name in there:
        if name not in names:
            plan.refused.append(f"{plan.table}: column {_dotted((*prefix, name))} is in the table but not in table.yml")
    if [name for name in names if name in there] != [name for name in there if name in names]:
        plan.refused.append(f"{plan.table}: columns of table.yml are in another order than the table's")
    after: Path | None = None
    for column in columns:
        path = (*prefix, column.name)
        if column.name in there:
            _compare_field(plan, column, there[column.name], path)
        else:
            plan.added.append(Added(path, column, after))
        after = path


def _compare_field(plan: Evolution, column: Column, old: NestedField, path: Path) -> None:
    if column.description != old.doc:
        plan.described.append((path, column))
    if column.type == "list":
        _compare_list(plan, column, old, path)
        return
    wanted = iceberg_type(column)
    if wanted == old.field_type:
        return
    try:
        promote(old.field_type, wanted)
    except ResolveError:
        plan.refused.append(f"{plan.table}: column {_dotted(path)} is {old.field_type} and cannot become {wanted}")
    else:
        plan.widened.append((path, column))


def _compare_list(plan: Evolution, column: Column, old: NestedField, path: Path) -> None:
    if isinstance(old.field_type, ListType) and isinstance(old.field_type.element_type, StructType):
        _compare_fields(plan, column.fields, old.field_type.element_type.fields, (*path, "element"))
    else:
        plan.refused.append(f"{plan.table}: column {_dotted(path)} is {old.field_type} and cannot become a list")


def _compare_layout(plan: Evolution, definition: TableDefinition, table: Table) -> None:
    added = {entry.path[0] for entry in plan.added}
    if added.intersection(part.column for part in definition.partitions()):
        plan.refused.append(f"{plan.table}: partition on a new column; make a new table and backfill it")
        return
    if not added.isdisjoint(definition.sort):
        plan.sort = definition.sort
        return
    schema = table.schema()
    if _partition_fields(definition, schema) != [_identity(part) for part in table.spec().fields]:
        plan.refused.append(f"{plan.table}: partition is {table.spec()}; make a new table and backfill it")
    if _sort_fields(sort_order(definition, schema).fields) != _sort_fields(table.sort_order().fields):
        plan.sort = definition.sort


def _partition_fields(definition: TableDefinition, schema: Schema) -> list[tuple[int, str]]:
    return [_identity(part) for part in partition_spec(definition, schema).fields]


def _identity(part: PartitionField) -> tuple[int, str]:
    return part.source_id, str(part.transform)


def _sort_fields(fields: Sequence[SortField]) -> list[tuple[int, str, str]]:
    return [(entry.source_id, str(entry.transform), str(entry.direction)) for entry in fields]


def _dotted(path: Path) -> str:
    return ".".join(part for part in path if part != "element")
