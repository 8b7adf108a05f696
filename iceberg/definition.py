"""A table's folder, read and checked: ``table.yml`` becomes a typed definition, with the SQL of a derived table."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec
import yaml
from msgspec import Struct

from codewave.contract.fields import Classification
from codewave.errors import WrongUseError

TABLES_FOLDER: Final = Path(__file__).resolve().parent
DEFINITION_FILE: Final = "table.yml"
QUERY_FILE: Final = "query.sql"
CHECKS_FILE: Final = "checks.sql"

ColumnType = Literal["string", "long", "double", "boolean", "timestamptz", "date", "binary", "list"]
_NESTED: Final = "list"
_NOT_IN_FILE: Final = frozenset({"name", "query", "checks"})
"""What the folder says rather than ``table.yml``."""

COMMON_PROPERTIES: Final[dict[str, str]] = {
    "format-version": "2",
    "write.format.default": "parquet",
    "write.parquet.compression-codec": "zstd",
    # Java's writers, so the stream's, heed it: with zstd files are as small without dictionaries, and an event costs an
    # eighth less CPU time. Compacted files have them all the same (docs/decisions/0030-no-dictionaries-at-first.md).
    "parquet.enable.dictionary": "false",
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

DERIVED_PROPERTIES: Final[dict[str, str]] = {
    # A commit that is repeated by itself would put rows on a state that they were not computed from.
    "commit.retry.num-retries": "0",
}
"""Of every table that a query derives."""

Access = Literal["open", "restricted", "confidential"]
"""Who may read a column: every analyst, those who work with people's data, or only by a grant for a reason."""

_ACCESS: Final[dict[str | None, Access]] = {"personal": "restricted", "user_content": "confidential"}

_CHECK: Final = re.compile(r"^-- check: (\w+) \((block|warn)\)$", re.MULTILINE)
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
    access: Access | None = None
    """Where it is not what follows from the classification."""
    fields: tuple["Column", ...] = ()
    """Of the struct that a ``list`` holds."""

    @property
    def access_level(self) -> Access:
        """Who may read it; of a list, what its most private field says."""
        if self.access:
            return self.access
        if self.fields:
            return max((field.access_level for field in self.fields), key=get_args(Access).index)
        return _ACCESS.get(self.classification, "open")


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


class Touch(Struct, frozen=True, forbid_unknown_fields=True):
    """Which intervals of a derived table a row touches that was added to one of its sources."""

    time: str = ""
    """The interval of this column of the row; ``list[].field`` is a field of a list's structs."""
    same_in_table: str = ""
    """A key: also the intervals in which the derived table has rows of the same key."""
    same_in_source: str = ""
    """A key: also the intervals of the source's other rows of the same key."""
    open_intervals: bool = False
    """Every interval that the derived table has and that is not sealed, and the first one after the seal."""


class Check(Struct, frozen=True):
    """A rule of ``checks.sql``, asked before the rows of an interval are committed."""

    name: str
    severity: Literal["block", "warn"]
    """``block``: a failing row stops the commit."""
    meaning: str
    """The header comment after the name."""
    sql: str
    """A SELECT of the failing rows; the table's name stands for the rows about to be written."""


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
    key: tuple[str, ...] = ()
    """What no two rows share: a quality rule."""
    interval: Literal["hour", "day"] | None = None
    """Of a derived table: what one run replaces."""
    interval_column: str = ""
    """Of a derived table: the column (date or timestamptz) that says which interval a row belongs to."""
    touched_by: dict[str, Touch] = {}
    """Of a derived table: for each source which intervals its new rows touch."""
    sealed_by: str = ""
    """Of a derived table: the table whose column ``day`` says which intervals are closed for good."""
    freshness_minutes: int | None = None
    """How old its newest rows may be before its owner gets an alert; nothing: nobody waits for it."""
    name: str = ""
    """The folder's; not in the file."""
    query: str = ""
    """Of a derived table: ``query.sql``; not in the file."""
    checks: tuple[Check, ...] = ()
    """Of a derived table: ``checks.sql``; not in the file."""

    @property
    def derived(self) -> bool:
        """Whether a query makes its rows."""
        return bool(self.query)

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
        derived = DERIVED_PROPERTIES if self.derived else {}
        return COMMON_PROPERTIES | derived | self._metrics_properties() | described | self.properties

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
        # Written in C: ten times as fast, and Airflow reads every folder each time it reads the DAGs.
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except FileNotFoundError:
        raise WrongUseError(f"{place}: no such file; every table's folder has one") from None
    except yaml.YAMLError as error:
        raise WrongUseError(f"{place}: not YAML: {error}") from None
    if not isinstance(values, dict) or not values.keys().isdisjoint(_NOT_IN_FILE):
        raise WrongUseError(f"{place}: expected the keys of a table, without {', '.join(sorted(_NOT_IN_FILE))}")
    try:
        sql = {"query": _text(folder / QUERY_FILE), "checks": read_checks(_text(folder / CHECKS_FILE))}
        definition = msgspec.convert(values | {"name": folder.name, **sql}, TableDefinition)
        _check(definition)
    except ValueError as error:  # msgspec.ValidationError is one
        raise WrongUseError(f"{place}: {error}") from None
    return definition


def read_definitions(folder: Path = TABLES_FOLDER) -> list[TableDefinition]:
    """All tables, by name.

    :raises WrongUseError: as :func:`read_definition`.
    """
    return [read_definition(path.parent) for path in sorted(folder.glob(f"*/{DEFINITION_FILE}"))]


def read_checks(text: str) -> tuple[Check, ...]:
    """The checks of a ``checks.sql``: each a line ``-- check: name (block)``, comments with its meaning, a SELECT.

    :raises ValueError: where a statement has no such line, or a name is there twice.
    """
    before, *parts = _CHECK.split(text)
    if before.strip():
        raise ValueError(f"{CHECKS_FILE}: each check starts with a line `-- check: name (block)` or (warn)")
    names = parts[::3]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{CHECKS_FILE}: {twice.pop()} is there twice")
    return tuple(_one_check(*parts[start : start + 3]) for start in range(0, len(parts), 3))


def _one_check(name: str, severity: Any, body: str) -> Check:
    lines = body.strip().splitlines()
    comments = [line for line in lines if line.startswith("--")]
    sql = "\n".join(line for line in lines if line not in comments).strip().removesuffix(";").strip()
    meaning = " ".join(line.removeprefix("--").strip() for line in comments)
    if not meaning or not sql:
        raise ValueError(f"{CHECKS_FILE}: {name}: a comment that says what it means, and one SELECT")
    return Check(name, severity, meaning, sql)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


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
    _check_known("key", definition.key, names)
    if definition.retention_days < 1:
        raise ValueError("retention_days: at least 1")
    if definition.derived:
        _check_derived(definition)
    elif definition.interval or definition.interval_column or definition.touched_by or definition.checks:
        raise ValueError(f"interval, touched_by and {CHECKS_FILE} are for a table with a {QUERY_FILE}")


def _check_derived(definition: TableDefinition) -> None:
    kinds = {column.name: column.type for column in definition.columns}
    wanted = {"day": "date", "hour": "timestamptz"}.get(definition.interval or "")
    if definition.written_by != "batch" or wanted is None:
        raise ValueError(f"a table with a {QUERY_FILE} has `written_by: batch` and `interval: hour` or `day`")
    if kinds.get(definition.interval_column) != wanted:
        raise ValueError(f"interval_column: a {wanted} column for intervals of one {definition.interval}")
    if definition.sealed_by and definition.interval != "day":
        raise ValueError("sealed_by: only whole days are sealed")
    for source, touch in definition.touched_by.items():
        if not touch.time and not touch.open_intervals:
            raise ValueError(f"touched_by: {source}: give `time` or `open_intervals: true`")
        _check_known(f"touched_by: {source}: same_in_table", filter(None, [touch.same_in_table]), list(kinds))


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
