"""``codewave refused``: documents that OpenSearch refused for their content, and sending them again after a fix."""

from typing import TYPE_CHECKING, Annotated

import typer

from codewave.cli.output import JsonOption, console, emit, printable
from codewave.local.namespace import LIVE

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from codewave.lake.refused_documents import IndexedAgain, RefusedGroup

NamespaceOption = Annotated[str, typer.Option(help="Whose documents.")]
IndexOption = Annotated[
    str, typer.Option(metavar="NAME", help="Only those meant for this index, such as chat-2026.11.22.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    refused = typer.Typer(help="Documents that OpenSearch refused for their content: look at them, index them again.")
    refused.command("list", no_args_is_help=False)(list_refused)
    refused.command("index-again", no_args_is_help=False)(index_again)
    app.add_typer(refused, name="refused")


def list_refused(namespace: NamespaceOption = LIVE, index: IndexOption = "*", as_json: JsonOption = False) -> None:
    """List what was refused, by index and error; the documents themselves are in the indices refused-*."""
    from codewave.lake.refused_documents import group
    from codewave.local.opensearch import DEBUGGER

    emit(group(_client(DEBUGGER), namespace, index), as_json=as_json, show=_show_groups)


def index_again(namespace: NamespaceOption = LIVE, index: IndexOption = "*", as_json: JsonOption = False) -> None:
    """Send refused documents to their indices once more, and forget those that are taken; exit 1 if some are not."""
    from codewave.lake import refused_documents
    from codewave.local.opensearch import ADMIN

    result = refused_documents.index_again(_client(ADMIN), namespace, index)
    emit(result, as_json=as_json, show=_show_result)
    if result.refused:
        raise typer.Exit(1)


def _client(user: str) -> "OpenSearch":
    from codewave.errors import CodewaveError
    from codewave.local.opensearch import search_answers, search_client
    from codewave.local.settings import load_settings

    settings = load_settings()
    if not search_answers(settings):
        raise CodewaveError("refused: OpenSearch does not answer; start the stack with `codewave up`")
    return search_client(settings, user)


def _show_groups(groups: "list[RefusedGroup]") -> None:
    from rich.table import Table
    from rich.text import Text

    if not groups:
        console.print("nothing is refused")
        return
    table = Table("index", "error", "documents", "last at", "for example", show_edge=False)
    for one in groups:
        table.add_row(one.index, one.error, f"{one.documents:,}", one.last_at, Text(printable(one.reason)))
    console.print(table)


def _show_result(result: "IndexedAgain") -> None:
    console.print(f"{result.indexed:,} indexed again, {result.refused:,} refused once more")
    for reason in result.reasons:
        console.print(f"  {printable(reason)}", markup=False, soft_wrap=True)
