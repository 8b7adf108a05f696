"""The commit that ends a close: a run of the ledger that began before the seal cannot write a sealed day after it.

A run reads the seals after it has loaded the ledger, and its commit fails if the ledger has changed since. So once the
ledger has a commit of its own after the seal, every run that did not see the seal fails, starts over, and sees it. A
run that came in between the two commits is undone: the day gets back the rows that were sealed.
"""

from datetime import date
from typing import Final

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from codewave.errors import CodewaveError
from iceberg.billing.seal import LEDGER, Seal, ledger_hashes, ledger_rows, snapshot_of
from iceberg.derive.added import INTERVAL_END, INTERVAL_START
from iceberg.derive.interval import interval_of
from iceberg.derive.replacement import read_held, replace_interval
from iceberg.lake import Lake

SEALED_DAY: Final = "codewave.sealed-day"
"""In the summary of the ledger's snapshot that ends a close: the day."""
ATTEMPTS: Final = 20
"""Others commit to the ledger once a few minutes; each conflict is one of their commits."""


def fenced(ledger: Table, day: date) -> bool:
    """Whether the close of a day was ended, as far as the ledger's snapshots are kept."""
    summaries = (snapshot.summary for snapshot in ledger.metadata.snapshots)
    return any(summary is not None and summary.get(SEALED_DAY) == day.isoformat() for summary in summaries)


def fence(lake: Lake, seal: Seal) -> None:
    """End the close of a day; nothing happens if it was ended.

    :raises CodewaveError: if others keep committing to the ledger; close the day again.
    """
    for _ in range(ATTEMPTS):
        ledger = lake.load(LEDGER)
        if fenced(ledger, seal.day):
            return
        try:
            _commit(lake, ledger, seal)
        except CommitFailedException:
            continue
    raise CodewaveError(f"billing day {seal.day}: sealed, but others keep committing to {LEDGER}; close it again")


def _commit(lake: Lake, ledger: Table, seal: Seal) -> None:
    summary = {SEALED_DAY: seal.day.isoformat()}
    if _changed(ledger, seal):
        interval, definition = interval_of("day", seal.day), lake.definition(LEDGER)
        summary |= {INTERVAL_START: interval.start.isoformat(), INTERVAL_END: interval.end.isoformat()}
        rows = ledger_rows(ledger, seal.day, seal.ledger_snapshot_id)
        held = read_held(ledger, definition.interval_column, interval)
        replace_interval(ledger, definition, held, rows, summary)
    else:
        ledger.append(ledger.schema().as_arrow().empty_table(), snapshot_properties=summary)


def _changed(ledger: Table, seal: Seal) -> bool:
    """Whether the day's rows are others than those sealed, and those are still there to be put back."""
    sealed, now = seal.ledger_snapshot_id, snapshot_of(ledger)
    if now == sealed or sealed is None or ledger.snapshot_by_id(sealed) is None:
        return False
    return ledger_hashes(ledger_rows(ledger, seal.day, now)) != (seal.ledger_hash, seal.identity_hash)
