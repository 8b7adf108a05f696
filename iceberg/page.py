"""The documentation page of the lake's tables, written from their folders: ``python -m iceberg.page``."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from iceberg.definition import TABLES_FOLDER, Column, TableDefinition, read_definitions

PAGE: Final = TABLES_FOLDER.parent / "docs" / "tables.md"

_HEAD: Final = """\
# Tables

Written from the folders in `iceberg/` by `python -m iceberg.page`; change a table's `table.yml` and run it again.
Iceberg format version 2, zstd Parquet, times in UTC with microseconds. `?` after a type: may be empty. A class says
what a column reveals: metadata, personal (points to a person) or user_content (what a person wrote). Access says who
may read it: open (every analyst), restricted (who works with people's data), confidential (by a grant for a reason).
A derived table's query and checks are `query.sql` and `checks.sql` in its folder.
"""


def tables_page(definitions: list[TableDefinition]) -> str:
    """The page in Markdown."""
    overview = ["| table | one row is | written by | kept | owner |", "|---|---|---|---|---|"]
    overview += [
        f"| [{one.name}](#{one.name}) | {one.row} | {_writer(one)} | {one.retention_days} d | {one.owner} |"
        for one in definitions
    ]
    sections = ["\n".join(_section(definition)) for definition in definitions]
    return "\n".join([_HEAD, *overview, "", *sections])


def main() -> None:
    """Write the page."""
    page = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(tables_page(read_definitions()), encoding="utf-8")


def _section(definition: TableDefinition) -> Iterator[str]:
    yield f"## {definition.name}\n\n{definition.description} One row is {definition.row}.\n"
    partition = ", ".join(f"`{part}`" for part in definition.partition) or "none"
    yield f"Partition: {partition}. Sorted within a file by: {', '.join(f'`{name}`' for name in definition.sort)}.\n"
    yield from _derivation(definition)
    yield "| column | type | class | access | |\n|---|---|---|---|---|"
    for column in definition.columns:
        yield from _column(column, "")
    yield ""


def _writer(definition: TableDefinition) -> str:
    return "query" if definition.derived else definition.written_by


def _derivation(definition: TableDefinition) -> Iterator[str]:
    if not definition.derived:
        return
    sources = ", ".join(f"[{name}](#{name})" for name in definition.touched_by)
    sealed = f", until [{definition.sealed_by}](#{definition.sealed_by}) seals it" if definition.sealed_by else ""
    key = ", ".join(f"`{name}`" for name in definition.key)
    interval = f"{definition.interval} of `{definition.interval_column}`"
    yield f"Derived by the {interval}{sealed}, from {sources}. Key: {key}.\n"
    for check in definition.checks:
        yield f"- `{check.name}` ({check.severity}): {check.meaning}"
    if definition.checks:
        yield ""


def _column(column: Column, prefix: str) -> Iterator[str]:
    kind = f"{column.type}{'' if column.required else '?'}"
    text = column.description.replace("|", "\\|")
    yield f"| `{prefix}{column.name}` | {kind} | {column.classification or ''} | {column.access_level} | {text} |"
    for field in column.fields:
        yield from _column(field, f"{prefix}{column.name}[].")


if __name__ == "__main__":
    main()
