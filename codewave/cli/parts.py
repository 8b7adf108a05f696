"""Which module holds which command."""

import typer


def register(app: typer.Typer) -> None:
    """Add every command to ``app``."""
    from codewave.cli import (
        contract,
        document,
        faults,
        job,
        play,
        query,
        reconcile,
        refused,
        run,
        search,
        stack,
        tables,
    )

    for module in (stack, run, play, job, reconcile, document, query, search, refused, tables, contract, faults):
        module.register(app)
