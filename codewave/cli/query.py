"""``codewave query``: SQL over the lake."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from codewave.cli.output import JsonOption, console, emit, printable
from codewave.local.namespace import LIVE
from codewave.local.settings import load_settings

if TYPE_CHECKING:
    from iceberg.engine import QueryResult


def register(app: typer.Typer) -> None:
    """Add ``query``."""
    app.command("query")(_command)


def _command(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT, WITH, SHOW TABLES or DESCRIBE.")],
    namespace: Annotated[str, typer.Option(help="Where tables named without one are.")] = LIVE,
    max_rows: Annotated[int, typer.Option(min=1, help="Rows shown on the terminal; --json prints all.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Query the lake in Athena's dialect. Read-only; times are UTC; each table is read at one snapshot.

    Example: codewave query "SELECT type, COUNT(*) FROM presence_events GROUP BY type"
    """
    from iceberg.engine import local_engine

    result = local_engine(load_settings(), namespace).query(sql)
    emit(result, as_json=as_json, show=lambda found: _show(found, max_rows))


def _show(result: "QueryResult", max_rows: int) -> None:
    from rich.table import Table

    table = Table(show_edge=False)
    for name in result.columns:
        table.add_column(name, overflow="fold")
    for row in result.rows[:max_rows]:
        table.add_row(*(_cell(value) for value in row))
    console.print(table)
    total = len(result.rows)
    shown = f"; the first {max_rows} are shown, --max-rows shows more" if total > max_rows else ""
    console.print(f"{total} row{'' if total == 1 else 's'}{shown}", style="dim")


def _cell(value: Any) -> str:
    from datetime import datetime

    from rich.markup import escape

    if value is None:
        return "[dim]null[/dim]"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")
    return escape(printable(str(value)))
