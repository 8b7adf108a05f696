"""``codewave billing``: close a day, verify what is closed, see what is next."""

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from codewave.cli.output import JsonOption, console, emit
from codewave.errors import WrongUseError
from codewave.local.namespace import LIVE
from codewave.local.settings import load_settings

if TYPE_CHECKING:
    from iceberg.billing import BillingStatus, ChainReport, Refusal, Seal
    from iceberg.lake import Lake

_SETTLE_HOURS: Final = 2
"""As iceberg.billing.calendar.SETTLE, which a test compares; --help must not load the lake."""

NamespaceOption = Annotated[str, typer.Option(help="Namespace of the lake.")]
StartOption = Annotated[
    str | None,
    typer.Option(
        metavar="DAY", help="First day to be billed, where nothing is sealed yet; default the first with an execution."
    ),
]
SettleOption = Annotated[int, typer.Option(min=0, help="Hours from a day's end until it may be closed.")]


def register(app: typer.Typer) -> None:
    """Add ``billing``."""
    group = typer.Typer(help="Billing days: close them, verify them, see which is next.", no_args_is_help=True)
    group.command("close")(_close)
    group.command("verify")(_verify)
    group.command("status")(_status)
    app.add_typer(group, name="billing")


def _close(
    day: Annotated[str, typer.Argument(metavar="DAY", help="YYYY-MM-DD, UTC.")],
    namespace: NamespaceOption = LIVE,
    start: StartOption = None,
    settle_hours: SettleOption = _SETTLE_HOURS,
    as_json: JsonOption = False,
) -> None:
    """Close a day: compare all it is made from, then seal it. Exit 1 with the reasons if it may not be closed.

    A day that is sealed already is verified, and the same seal is printed.
    """
    from iceberg.billing import CloseRefusedError, close_day

    closing, first, lake = _day(day), _day(start) if start else None, _lake(namespace)
    try:
        seal = close_day(lake, closing, start=first, settle=timedelta(hours=settle_hours))
    except CloseRefusedError as error:
        if not as_json:
            raise
        emit({"day": error.day, "sealed": False, "refusals": error.refusals}, as_json=True, show=_show_refusals)
        raise typer.Exit(1) from None
    emit(seal, as_json=as_json, show=_show_seal)


def _verify(namespace: NamespaceOption = LIVE, as_json: JsonOption = False) -> None:
    """Compute every seal again from the ledger. Exit 1 with the first day that does not match."""
    from iceberg.billing import verify_chain

    report = verify_chain(_lake(namespace))
    emit(report, as_json=as_json, show=_show_report)
    if report.mismatch:
        raise typer.Exit(1)


def _status(
    namespace: NamespaceOption = LIVE,
    start: StartOption = None,
    settle_hours: SettleOption = _SETTLE_HOURS,
    as_json: JsonOption = False,
) -> None:
    """Show the last seal, the day that is next, and what stands against closing it now."""
    from iceberg.billing import billing_status

    first = _day(start) if start else None
    found = billing_status(_lake(namespace), start=first, settle=timedelta(hours=settle_hours))
    emit(found, as_json=as_json, show=_show_status)


def _lake(namespace: str) -> "Lake":
    from iceberg.lake import local_lake

    return local_lake(load_settings(), namespace)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WrongUseError(f"billing: {text!r} is not a day; give it as YYYY-MM-DD") from None


def _show_seal(seal: "Seal") -> None:
    console.print(f"{seal.day}: sealed at {_time(seal.sealed_at)}")
    console.print(
        f"  {seal.executions:,} executions, {seal.adjustments:,} adjustments; {seal.cpu_ms:,} ms processor, "
        f"{seal.wall_ms:,} ms elapsed, {seal.output_bytes:,} bytes of output",
        soft_wrap=True,
    )
    console.print(f"  hash {seal.hash}, after {seal.previous_hash or 'none: the first day'}", soft_wrap=True)


def _show_report(report: "ChainReport") -> None:
    if not report.days:
        console.print("no day is sealed yet")
        return
    console.print(f"{report.days} sealed days, {report.first_day} to {report.last_day}; head {report.head}")
    if report.without_rows:
        console.print(f"  {report.without_rows} of them beyond the ledger's retention: only the chain was verified")
    if not report.mismatch:
        console.print("[green]every one matches[/green]")
        return
    for what in report.mismatch.what:
        console.print(f"  {report.mismatch.day}: {what}", style="red", markup=False, soft_wrap=True)


def _show_status(found: "BillingStatus") -> None:
    if found.last:
        _show_seal(found.last)
    if not found.next_day or not found.closable_at:
        console.print("no execution has finished yet: there is nothing to close")
        return
    console.print(f"next: {found.next_day}, from {_time(found.closable_at)} on")
    _show_refusals(found.refusals)
    if not found.refusals:
        console.print(f"  [green]can be closed[/green]: `codewave billing close {found.next_day}`")


def _show_refusals(refusals: "tuple[Refusal, ...]") -> None:
    for one in refusals:
        console.print(f"  {one.reason}: {one.in_words()}", style="red", markup=False, soft_wrap=True)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
