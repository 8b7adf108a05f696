"""A table's folder, read and checked: ``iceberg/<table>/table.yml`` becomes a typed definition."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

import msgspec
import yaml
from msgspec import Struct

from codewave.contract.fields import Classification
from codewave.errors import WrongUseError

TABLES_FOLDER: Final = Path(__file__).resolve().parent
DEFINITION_FILE: Final = "table.yml"

ColumnType = Literal["string", "long", "double", "boolean", "timestamptz", "date", "binary", "list"]
_NESTED: Final = "list"

COMMON_PROPERTIES: Final[dict[str, str]] = {
    "format-version": "2",
    "write.format.default": "parquet",
    "write.parquet.compression-codec": "zstd",
    "write.target-file-size-bytes": "134217728",
    # Every checkpoint writes a metadata file; a reader that pinned one must still find it: 200 files at one commit
    # every 5 s is 16 minutes, longer than any query.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "200",
    # The stream's rows come by room, so a shuffle by partition would move every row for little.
    "write.distribution-mode": "none",
    "commit.retry.num-retries": "10",
}
"""Properties of every table; a table's own ``properties`` win."""

_TRANSFORM: Final = re.compile(r"^(?:(day|hour|month)\((\w+)\)|bucket\((\d+), (\w+)\))$")


class Column(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A column, or a field of a nested struct."""

    name: str
    type: ColumnType
    description: str
    required: bool = False
    """Never null in a correct table: a quality rule. In Iceberg every column is optional, since Flink inserts from
    nullable columns and a rule that stops the stream would lose events."""
    classification: Classification | None = None
    """Given for every column but a list, whose fields carry their own."""
    fields: tuple["Column", ...] = ()
    """Of the struct that a ``list`` holds."""


class Partition(Struct, frozen=True):
    """A hidden partition: a transform of a column."""

    transform: str
    """``day``, ``hour``, ``month`` or ``bucket``."""
    column: str
    buckets: int | None = None

    @property
    def name(self) -> str:
        """Name of the partition field, as Flink and Spark would give it."""
        return f"{self.column}_{self.transform}"


class TableDefinition(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``table.yml`` says."""

    description: str
    row: str
    """What one row is."""
    owner: str
    written_by: Literal["stream", "batch"]
    retention_days: int
    partition: tuple[str, ...]
    sort: tuple[str, ...]
    """How compaction orders rows within a file; the stream writes in order of arrival."""
    columns: tuple[Column, ...]
    properties: dict[str, str] = {}
    name: str = ""
    """The folder's; not in the file."""

    def partitions(self) -> list[Partition]:
        """The hidden partitions, parsed."""
        return [_partition(text) for text in self.partition]

    def all_properties(self) -> dict[str, str]:
        """Iceberg properties: the common ones, the table's own, and what follows from the definition."""
        described = {
            "comment": self.description,
            "codewave.owner": self.owner,
            "codewave.retention-days": str(self.retention_days),
        }
        return COMMON_PROPERTIES | self._metrics_properties() | described | self.properties

    def _metrics_properties(self) -> dict[str, str]:
        # Bounds of a column are copied into manifests, which an erasure does not rewrite: what people wrote must
        # not get there.
        content = [column.name for column in self.columns if column.classification == "user_content"]
        return {f"write.metadata.metrics.column.{name}": "counts" for name in content}


def read_definition(folder: Path) -> TableDefinition:
    """Read one table's folder.

    :raises WrongUseError: where the file is missing, is not YAML or says something that cannot be, with its place.
    """
    path = folder / DEFINITION_FILE
    place = f"{folder.name}/{DEFINITION_FILE}"
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WrongUseError(f"{place}: no such file; every table's folder has one") from None
    except yaml.YAMLError as error:
        raise WrongUseError(f"{place}: not YAML: {error}") from None
    if not isinstance(values, dict) or "name" in values:
        raise WrongUseError(f"{place}: expected the keys of a table, without `name` (the folder's name is it)")
    try:
        definition = msgspec.convert(values | {"name": folder.name}, TableDefinition)
        _check(definition)
    except ValueError as error:  # msgspec.ValidationError is one
        raise WrongUseError(f"{place}: {error}") from None
    return definition


def read_definitions(folder: Path = TABLES_FOLDER) -> list[TableDefinition]:
    """All tables, by name.

    :raises WrongUseError: as :func:`read_definition`.
    """
    return [read_definition(path.parent) for path in sorted(folder.glob(f"*/{DEFINITION_FILE}"))]


def _partition(text: str) -> Partition:
    match = _TRANSFORM.match(text)
    if match is None:
        raise ValueError(f"partition {text!r}: use day(column), hour(column), month(column) or bucket(n, column)")
    unit, column, buckets, bucketed = match.groups()
    if unit:
        return Partition(unit, column)
    return Partition("bucket", bucketed, int(buckets))


def _check(definition: TableDefinition) -> None:
    names = [column.name for column in definition.columns]
    _check_columns(definition.columns, "")
    _check_known("partition", (part.column for part in definition.partitions()), names)
    _check_known("sort", definition.sort, names)
    if definition.retention_days < 1:
        raise ValueError("retention_days: at least 1")


def _check_known(where: str, used: Iterable[str], names: list[str]) -> None:
    for name in used:
        if name not in names:
            raise ValueError(f"{where}: no column {name!r}")


def _check_columns(columns: tuple[Column, ...], prefix: str) -> None:
    names = [column.name for column in columns]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"columns: {prefix}{twice.pop()} is there twice")
    for column in columns:
        path = prefix + column.name
        if (column.type == _NESTED) != bool(column.fields):
            raise ValueError(f"columns: {path}: a list has fields, other types have none")
        if (column.type == _NESTED) == bool(column.classification):
            raise ValueError(f"columns: {path}: give a classification, for a list on its fields")
        _check_columns(column.fields, f"{path}.")
