"""Commands of the local stack: ``up``, ``down``, ``status``."""

import time
from typing import TYPE_CHECKING

import typer

from codewave.cli.output import JsonOption, console, emit, progress_console

if TYPE_CHECKING:
    from codewave.local.stack import StackStatus


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(down)
    app.command()(status)


def up(as_json: JsonOption = False) -> None:
    """Start the local stack and wait until every part answers.

    Starts the stream emulator, Iceberg's catalog, OpenSearch and a Flink cluster, all on loopback, and creates the
    live namespace's stream, tables and index templates. What runs already stays as it is.
    """
    from codewave.local import stack
    from codewave.local.settings import load_settings

    begin = time.monotonic()
    result = stack.up(load_settings(), _report)
    progress_console.print(f"stack: up after {time.monotonic() - begin:.1f} s")
    emit(result, as_json=as_json, show=_show)


def down(as_json: JsonOption = False) -> None:
    """Stop the local stack.

    Tables, indices and job state stay and are there after the next `up`. The stream's records are in the emulator's
    memory and are forgotten.
    """
    from codewave.local import stack
    from codewave.local.settings import load_settings

    stopped = stack.down(load_settings(), _report)
    emit({"stopped": stopped}, as_json=as_json, show=lambda _: None)


def status(as_json: JsonOption = False) -> None:
    """Show what runs, where it answers, and how much memory it takes; exit code 1 unless every part is up."""
    from codewave.local import stack
    from codewave.local.settings import load_settings

    result = stack.status(load_settings())
    emit(result, as_json=as_json, show=_show)
    if not result.up:
        raise typer.Exit(1)


def _report(part: str, message: str) -> None:
    progress_console.print(f"{part}: {message}", markup=False)


def _show(result: "StackStatus") -> None:
    from rich.table import Table

    table = Table("part", "state", "answers on", "pid", "MB", "detail", box=None, pad_edge=False)
    for part in result.parts:
        memory = "" if part.memory_mb is None else str(part.memory_mb)
        table.add_row(part.name, part.state, part.url, str(part.pid or ""), memory, part.detail)
    console.print(table)
