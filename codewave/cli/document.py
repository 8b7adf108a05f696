"""``codewave document``: a document's text from the lake, at any sequence, and whether it can be trusted."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from codewave.cli.output import JsonOption, console, emit, progress_console
from codewave.local.namespace import LIVE
from codewave.local.settings import load_settings

if TYPE_CHECKING:
    from udfs.reconstruct import Reconstruction

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The document's id.")]
NamespaceOption = Annotated[str, typer.Option(help="Namespace of the lake.")]
AtOption = Annotated[
    int | None, typer.Option("--at", metavar="SEQUENCE", min=1, help="Stop after this sequence; default the last.")
]


class DocumentText(Struct):
    """What ``document show --json`` prints."""

    document_id: str
    last_sequence: int
    text: str
    problems: list[str]


class Verification(Struct):
    """What ``document verify`` found."""

    document_id: str
    verified: bool
    operations: int
    last_sequence: int
    checksums_verified: int
    characters: int
    sha256: str
    problems: list[str]
    """The first ones."""


def register(app: typer.Typer) -> None:
    """Add ``document``."""
    group = typer.Typer(help="A document's text, rebuilt from its stored edits.", no_args_is_help=True)
    group.command("show")(_show)
    group.command("verify")(_verify)
    app.add_typer(group, name="document")


def _show(
    document_id: IdArgument,
    at: AtOption = None,
    namespace: NamespaceOption = LIVE,
    as_json: JsonOption = False,
) -> None:
    """Print the text exactly, without a line end of its own; problems go to standard error and exit with 1."""
    found = _read(namespace, document_id, at)
    text = DocumentText(document_id, found.last_sequence, found.text, found.problems)
    emit(text, as_json=as_json, show=_write_text)
    if not found.sound:
        _exit_with(found.problems)


def _verify(document_id: IdArgument, namespace: NamespaceOption = LIVE, as_json: JsonOption = False) -> None:
    """Check that no sequence is missing and that every checksum the writers sent is right; exit 1 if not."""
    found = _read(namespace, document_id, None)
    result = verification(document_id, found)
    emit(result, as_json=as_json, show=_show_verification)
    if not result.verified:
        _exit_with(result.problems)


def verification(document_id: str, found: "Reconstruction") -> Verification:
    """The verdict on a document that was rebuilt."""
    return Verification(
        document_id=document_id,
        verified=found.sound,
        operations=found.operations,
        last_sequence=found.last_sequence,
        checksums_verified=found.checksums_verified,
        characters=len(found.text),
        sha256=found.sha256,
        problems=found.problems,
    )


def _read(namespace: str, document_id: str, at: int | None) -> "Reconstruction":
    from codewave.lake.documents import read_document
    from iceberg.engine import local_engine

    return read_document(local_engine(load_settings(), namespace), document_id, at)


def _write_text(found: DocumentText) -> None:
    sys.stdout.buffer.write(found.text.encode())
    sys.stdout.buffer.flush()


def _show_verification(result: Verification) -> None:
    verdict = "[green]verified[/green]" if result.verified else "[red]not verified[/red]"
    console.print(f"{result.document_id}: {verdict}")
    console.print(f"edits          {result.operations:,}")
    console.print(f"last sequence  {result.last_sequence:,}")
    console.print(f"checksums      {result.checksums_verified:,} right")
    console.print(f"characters     {result.characters:,}")
    console.print(f"sha256         {result.sha256}")


def _exit_with(problems: list[str]) -> None:
    for problem in problems:
        progress_console.print(problem, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(1)
