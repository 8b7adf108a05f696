"""``codewave search``: words in edits, chat, program output and refused events."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from codewave.cli.output import JsonOption, console, emit, printable
from codewave.local.namespace import LIVE
from codewave.local.settings import load_settings

if TYPE_CHECKING:
    from rich.text import Text

    from codewave.lake.search import Found


def register(app: typer.Typer) -> None:
    """Add ``search``."""
    app.command("search")(_command)


def _command(  # noqa: PLR0913, PLR0917 - one per option
    words: Annotated[
        list[str], typer.Argument(help='Words that must all be there; also "a phrase", -not, prefix*, a | b.')
    ],
    room: Annotated[str | None, typer.Option(metavar="ID", help="Only this room.")] = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="Only this user.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="Only activity, chat, execution-logs, executions or quarantine.")
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Only from this time (UTC) on.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Documents shown, newest first.")] = 20,
    namespace: Annotated[str, typer.Option(help="Whose indices.")] = LIVE,
    as_json: JsonOption = False,
) -> None:
    """Search what happened in rooms, seconds after it did."""
    from codewave.lake.search import Asked, search
    from codewave.local.opensearch import DEBUGGER, search_client

    start = since.replace(tzinfo=UTC) if since else None
    asked = Asked(words=" ".join(words), room=room, user=user, kind=kind, since=start, limit=limit)
    emit(search(search_client(load_settings(), DEBUGGER), namespace, asked), as_json=as_json, show=_show)


def _show(found: "Found") -> None:
    from rich.table import Table

    table = Table("at", "kind", "room", "user", "text", show_edge=False)
    for hit in found.hits:
        table.add_row(hit.at, hit.kind, hit.room_id or "", hit.user_id or "", _marked(hit.snippet))
    if found.hits:
        console.print(table)
    more = f"; the newest {len(found.hits)} are shown" if found.total > len(found.hits) else ""
    console.print(f"{found.total:,} found{more}", style="dim")


def _marked(snippet: str) -> "Text":
    from rich.text import Text

    from codewave.lake.search import AFTER, BEFORE

    text = Text()
    for index, part in enumerate(snippet.split(BEFORE)):
        word, _, rest = part.partition(AFTER) if index else ("", "", part)
        text.append(printable(word), style="bold yellow")
        text.append(printable(rest))
    return text
