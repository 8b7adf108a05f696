"""``codewave contract``: write what is generated from the event contract, and check it against the last release."""

from pathlib import Path
from typing import Annotated

import typer

from codewave.cli.output import JsonOption, console, emit


def register(app: typer.Typer) -> None:
    """Add the ``contract`` commands."""
    contract = typer.Typer(
        help="The event contract: its schemas, its docs page, its compatibility.", no_args_is_help=True
    )
    contract.command()(generate)
    contract.command()(check)
    app.add_typer(contract, name="contract")


def generate(as_json: JsonOption = False) -> None:
    """Write the JSON Schemas and docs/events.md again from the Structs."""
    from codewave.contract.page import PAGE, write_page
    from codewave.contract.schemas import write_schemas

    changed = write_schemas() + ([PAGE] if write_page() else [])
    emit([path.name for path in changed], as_json=as_json, show=_show_changed)


def check(
    released: Annotated[
        Path | None, typer.Option(help="Folder of released schemas to compare with instead of the last release's.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is out of date, and what would refuse events that the last release accepted; exit 1 if anything."""
    from codewave.contract.compatibility import breaking_changes, last_release
    from codewave.contract.page import PAGE, page_is_stale
    from codewave.contract.schemas import current_schemas, read_schemas, stale_schemas

    stale = stale_schemas() + ([PAGE] if page_is_stale() else [])
    breaking = breaking_changes(read_schemas(released or last_release()), current_schemas())
    emit({"stale": [path.name for path in stale], "breaking": breaking}, as_json=as_json, show=_show_check)
    if stale or breaking:
        raise typer.Exit(1)


def _show_changed(names: list[str]) -> None:
    for name in names:
        console.print(f"wrote {name}", markup=False)
    if not names:
        console.print("everything is up to date")


def _show_check(result: dict[str, list[str]]) -> None:
    for name in result["stale"]:
        console.print(f"{name} is out of date; run: uv run codewave contract generate", markup=False)
    for change in result["breaking"]:
        console.print(change, markup=False)
    if not any(result.values()):
        console.print("up to date, and compatible with the last release")
