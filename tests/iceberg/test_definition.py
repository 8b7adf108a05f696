"""Tables' folders: what they say is what the stream writes, and mistakes in them are named."""

import typing
from pathlib import Path
from types import NoneType, UnionType

import msgspec
import pytest

from codewave.errors import WrongUseError
from iceberg.definition import COMMON_PROPERTIES, Column, TableDefinition, read_definition, read_definitions
from udfs.rows import LAKE_OUTPUTS, Timestamp

DEFINITIONS = {definition.name: definition for definition in read_definitions()}
STREAM = {name for name, definition in DEFINITIONS.items() if definition.written_by == "stream"}

VALID = """
description: Notes.
row: a note
owner: someone
written_by: stream
retention_days: 7
partition: ["day(at)", "bucket(4, id)"]
sort: [id]
columns:
  - {name: id, type: string, classification: metadata, description: Its id.}
  - {name: at, type: timestamptz, classification: metadata, description: When.}
"""


def iceberg_type(annotation: object) -> str:
    """The column type that a row's field needs."""
    if typing.get_origin(annotation) in {typing.Union, UnionType}:
        (annotation,) = [one for one in typing.get_args(annotation) if one is not NoneType]
    if annotation == Timestamp:
        return "timestamptz"
    if typing.get_origin(annotation) is list:
        return "list"
    return {str: "string", int: "long", bool: "boolean"}[annotation]


def shape_of_columns(columns: tuple[Column, ...]) -> list[tuple[object, ...]]:
    return [(column.name, column.type, column.required, shape_of_columns(column.fields)) for column in columns]


def shape_of_row(row: type[msgspec.Struct]) -> list[tuple[object, ...]]:
    shape = []
    for name, annotation in typing.get_type_hints(row, include_extras=True).items():
        kind = iceberg_type(annotation)
        optional = NoneType in typing.get_args(annotation)
        nested = shape_of_row(typing.get_args(annotation)[0]) if kind == "list" else []
        shape.append((name, kind, not optional, nested))
    return shape


def folder_with(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "table.yml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("output", LAKE_OUTPUTS)
def test_columns_are_the_fields_of_the_streams_row_in_the_same_order_and_types(output: str) -> None:
    assert shape_of_columns(DEFINITIONS[output].columns) == shape_of_row(LAKE_OUTPUTS[output])


def test_the_stream_writes_its_outputs_and_the_raw_archive() -> None:
    assert set(LAKE_OUTPUTS) | {"raw_records"} == STREAM


def test_what_people_wrote_leaves_no_bounds_in_manifests() -> None:
    properties = DEFINITIONS["chat_messages"].all_properties()
    assert properties["write.metadata.metrics.column.text"] == "counts"


def test_properties_are_the_common_ones_and_the_tables_own() -> None:
    properties = DEFINITIONS["raw_records"].all_properties()
    assert properties["format-version"] == "2"
    assert properties["write.target-file-size-bytes"] != COMMON_PROPERTIES["write.target-file-size-bytes"]


def test_a_folder_is_read_with_its_name(tmp_path: Path) -> None:
    definition = read_definition(folder_with(tmp_path, VALID))
    assert isinstance(definition, TableDefinition)
    assert (definition.name, [part.name for part in definition.partitions()]) == ("notes", ["at_day", "id_bucket"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("owner: someone", "owner: someone\nretain: 3", "unknown field `retain`"),
        ("owner: someone\n", "", "missing required field `owner`"),
        ("type: string", "type: text", "Invalid enum value 'text'"),
        ("day(at)", "week(at)", "partition 'week(at)'"),
        ("day(at)", "day(when)", "partition: no column 'when'"),
        ("sort: [id]", "sort: [nr]", "sort: no column 'nr'"),
        ("name: at,", "name: id,", "id is there twice"),
        ("type: string", "type: list", "a list has fields"),
        ("classification: metadata, description: Its id.", "description: Its id.", "give a classification"),
        ("retention_days: 7", "retention_days: 0", "retention_days"),
        ("row: a note", "row: [", "not YAML"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in VALID
    with pytest.raises(WrongUseError) as caught:
        read_definition(folder_with(tmp_path, VALID.replace(old, new)))
    assert "notes/table.yml" in str(caught.value)
    assert message in str(caught.value)
