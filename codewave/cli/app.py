"""The ``codewave`` command: its parts are loaded when they are called, so that ``--help`` stays quick."""

import sys

import typer

from codewave.cli import parts
from codewave.cli.output import progress_console
from codewave.errors import CodewaveError

app = typer.Typer(
    name="codewave",
    help="Run CodeWave's event pipeline on this machine and look into what it stored.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
parts.register(app)


def main() -> None:
    """Run the command; an expected error is one line on standard error and its exit code."""
    try:
        app()
    except CodewaveError as error:
        progress_console.print(f"codewave: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
