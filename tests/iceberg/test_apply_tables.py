"""Tables are created and evolved from their folders, safely and as often as one likes."""

from pathlib import Path

import pytest
from example_lake import sqlite_catalog
from msgspec.structs import replace
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.types import DateType, IntegerType, LongType

from codewave.errors import CodewaveError
from codewave.local.namespace import Namespace
from iceberg.apply import apply_definitions, drop_namespace, record_counts
from iceberg.definition import Column, TableDefinition, read_definitions

ROOMS = Namespace("rooms")


def column(name: str, kind: str = "string", **more: object) -> Column:
    return Column(name=name, type=kind, description=f"The {name}.", classification="metadata", **more)  # type: ignore[arg-type]


NOTES = TableDefinition(
    name="notes",
    description="Notes.",
    row="a note",
    owner="someone",
    written_by="stream",
    retention_days=7,
    partition=("day(at)",),
    sort=("id",),
    columns=(column("id"), column("at", "timestamptz"), column("size", "long")),
)


@pytest.fixture
def catalog(tmp_path: Path) -> SqlCatalog:
    return sqlite_catalog(tmp_path)


def with_columns(*columns: Column) -> TableDefinition:
    return replace(NOTES, columns=columns)


def test_every_table_of_the_stream_is_created_with_its_layout(catalog: SqlCatalog) -> None:
    changes = apply_definitions(catalog, ROOMS, read_definitions())
    assert {change.action for change in changes} == {"created"}
    table = catalog.load_table("rooms.document_operations")
    assert [str(field.transform) for field in table.spec().fields] == ["day", "bucket[32]"]
    assert table.format_version == 2
    assert table.properties["write.parquet.compression-codec"] == "zstd"
    assert table.properties["parquet.enable.dictionary"] == "false"


def test_the_second_time_there_is_nothing_to_do(catalog: SqlCatalog) -> None:
    apply_definitions(catalog, ROOMS, read_definitions())
    assert apply_definitions(catalog, ROOMS, read_definitions()) == []


def test_a_new_column_comes_where_the_folder_has_it(catalog: SqlCatalog) -> None:
    apply_definitions(catalog, ROOMS, [NOTES])
    first, *rest = NOTES.columns
    changes = apply_definitions(catalog, ROOMS, [with_columns(column("top"), first, column("author"), *rest)])
    names = [field.name for field in catalog.load_table("rooms.notes").schema().fields]
    assert names == ["top", "id", "author", "at", "size"]
    assert [(change.action, change.detail) for change in changes] == [
        ("column added", "top"),
        ("column added", "author"),
    ]


def test_a_new_field_of_a_nested_struct_is_added(catalog: SqlCatalog) -> None:
    def parts(*fields: Column) -> TableDefinition:
        nested = Column(name="parts", type="list", description="Parts.", fields=fields)
        return with_columns(*NOTES.columns, nested)

    apply_definitions(catalog, ROOMS, [parts(column("text"))])
    changes = apply_definitions(catalog, ROOMS, [parts(column("text"), column("length", "long"))])
    assert [(change.action, change.detail) for change in changes] == [("column added", "parts.length")]
    assert catalog.load_table("rooms.notes").schema().find_field("parts.element.length").field_type == LongType()


def test_a_type_is_widened(catalog: SqlCatalog) -> None:
    apply_definitions(catalog, ROOMS, [with_columns(*NOTES.columns[:2])])
    with catalog.load_table("rooms.notes").update_schema() as update:
        update.add_column("size", IntegerType(), doc="The size.")
    changes = apply_definitions(catalog, ROOMS, [NOTES])
    assert [change.action for change in changes] == ["column widened"]
    assert catalog.load_table("rooms.notes").schema().find_field("size").field_type == LongType()


def test_descriptions_sort_order_and_properties_follow_the_folder(catalog: SqlCatalog) -> None:
    apply_definitions(catalog, ROOMS, [NOTES])
    changed = replace(NOTES, sort=("at", "id"), retention_days=8, description="Short notes.")
    actions = {change.action for change in apply_definitions(catalog, ROOMS, [changed])}
    table = catalog.load_table("rooms.notes")
    assert actions == {"sorted", "property set"}
    assert table.properties["codewave.retention-days"] == "8"
    assert len(table.sort_order().fields) == 2
    assert apply_definitions(catalog, ROOMS, [changed]) == []


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        (with_columns(*NOTES.columns[:2]), "column size is in the table but not in table.yml"),
        (with_columns(*NOTES.columns[:2], column("size", "string")), "column size is long and cannot become string"),
        (with_columns(*reversed(NOTES.columns)), "another order"),
        (replace(NOTES, partition=("month(at)",)), "make a new table and backfill it"),
    ],
)
def test_a_change_that_could_break_readers_is_refused_and_nothing_is_changed(
    catalog: SqlCatalog, definition: TableDefinition, reason: str
) -> None:
    apply_definitions(catalog, ROOMS, [NOTES])
    before = catalog.load_table("rooms.notes").metadata_location
    another = replace(NOTES, name="other")
    with pytest.raises(CodewaveError, match=reason):
        apply_definitions(catalog, ROOMS, [definition, another])
    assert catalog.load_table("rooms.notes").metadata_location == before
    assert not catalog.table_exists("rooms.other")


def test_a_date_cannot_become_a_timestamp(catalog: SqlCatalog) -> None:
    apply_definitions(catalog, ROOMS, [NOTES])
    with catalog.load_table("rooms.notes").update_schema() as update:
        update.add_column("made", DateType(), doc="The made.")
    with pytest.raises(CodewaveError, match="made is date and cannot become timestamptz"):
        apply_definitions(catalog, ROOMS, [with_columns(*NOTES.columns, column("made", "timestamptz"))])


def test_dropping_a_namespace_removes_its_files_and_no_others(catalog: SqlCatalog, tmp_path: Path) -> None:
    apply_definitions(catalog, ROOMS, [NOTES])
    apply_definitions(catalog, Namespace("other"), [NOTES])
    warehouse = tmp_path / "warehouse"
    assert drop_namespace(catalog, ROOMS, warehouse) == ["notes"]
    left = [file for file in warehouse.rglob("*") if file.is_file()]
    assert left
    assert all("other" in str(file) for file in left)
    assert not catalog.namespace_exists("rooms")


def test_dropping_what_is_not_there_does_nothing(catalog: SqlCatalog, tmp_path: Path) -> None:
    assert drop_namespace(catalog, ROOMS, tmp_path) == []


def test_files_outside_the_warehouse_are_left_in_place(catalog: SqlCatalog, tmp_path: Path) -> None:
    apply_definitions(catalog, ROOMS, [NOTES])
    with pytest.raises(CodewaveError, match="not in the warehouse"):
        drop_namespace(catalog, ROOMS, tmp_path / "elsewhere")
    assert list((tmp_path / "warehouse").rglob("*.metadata.json"))


def test_a_namespace_that_does_not_exist_holds_no_tables(catalog: SqlCatalog) -> None:
    assert record_counts(catalog, ROOMS) == {}
