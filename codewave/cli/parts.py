"""Which module holds which command."""

import typer


def register(app: typer.Typer) -> None:
    """Add every command to ``app``."""
    from codewave.cli import (
        billing,
        contract,
        dags,
        document,
        faults,
        job,
        lineage,
        play,
        quality,
        query,
        reconcile,
        refused,
        reliability,
        run,
        search,
        stack,
        tables,
    )

    for module in (
        stack,
        run,
        play,
        job,
        reconcile,
        document,
        query,
        search,
        refused,
        tables,
        contract,
        faults,
        billing,
        lineage,
        dags,
        quality,
        reliability,
    ):
        module.register(app)
