"""How every command prints: a person's view on the terminal, or one JSON value with ``--json``."""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]

console = Console(highlight=False)
"""Results go to standard output."""

progress_console = Console(stderr=True, highlight=False)
"""Progress and messages go to standard error, so that results can be piped."""


def emit(result: Any, *, as_json: bool, show: Callable[[Any], None]) -> None:
    """Print ``result`` (a Struct, dict or list) as JSON, or by ``show`` for a person."""
    if as_json:
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    else:
        show(result)


def printable(text: str) -> str:
    """``text`` as a terminal may get it: what people wrote must not move the cursor or change its colours."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)
