"""Verifying seals: each one again from the ledger, and each one's place in the chain."""

from datetime import UTC, date, datetime, timedelta

from msgspec import Struct, structs
from pyiceberg.table import Table

from iceberg.billing.seal import LEDGER, Seal, ledger_hashes, ledger_rows, read_seals, snapshot_of, totals
from iceberg.derive.reach import RETAINED_FROM
from iceberg.lake import Lake


class Mismatch(Struct, frozen=True):
    """A sealed day that is not what was sealed."""

    day: date
    what: tuple[str, ...]
    """What does not match, in words."""


class ChainReport(Struct, frozen=True, kw_only=True):
    """What verifying found."""

    days: int
    """Seals verified."""
    first_day: date | None = None
    last_day: date | None = None
    without_rows: int = 0
    """Of those, days whose ledger rows retention has removed: only their place in the chain was verified."""
    mismatch: Mismatch | None = None
    """The first day that does not match; none if all do."""
    head: str = ""
    """Hash of the last seal: whoever kept it can tell that no older day was changed together with the chain."""


def verify_chain(lake: Lake) -> ChainReport:
    """Compute every seal again from the ledger, and stop at the first that does not match.

    :raises CodewaveError: if a table has not been made yet.
    """
    seals = read_seals(lake)
    if not seals:
        return ChainReport(days=0)
    ledger = lake.load(LEDGER)
    kept_from = _kept_from(ledger)
    mismatch, previous, gone = None, None, 0
    for seal in seals:
        what = seal_problems(seal, previous)
        if seal.day < kept_from:
            gone += 1
        else:
            what += rows_problems(ledger, seal)
        if what:
            mismatch = Mismatch(seal.day, tuple(what))
            break
        previous = seal
    return ChainReport(
        days=len(seals),
        first_day=seals[0].day,
        last_day=seals[-1].day,
        without_rows=gone,
        mismatch=mismatch,
        head=seals[-1].hash,
    )


def seal_problems(seal: Seal, previous: Seal | None) -> list[str]:
    """What is wrong with a seal itself and with its place.

    :param previous: the seal before; none for the first that there is, whose own predecessor retention may have
        removed.
    """
    problems = []
    if seal.own_hash() != seal.hash:
        problems.append("the seal's hash is not that of its row in billing_seals: the row was changed")
    if previous and seal.day != previous.day + timedelta(days=1):
        problems.append(f"the seal before it is of {previous.day}: a day was removed or sealed twice")
    elif previous and seal.previous_hash != previous.hash:
        problems.append(f"it was sealed on another seal of {previous.day} than the one that is there")
    return problems


def rows_problems(ledger: Table, seal: Seal) -> list[str]:
    """What is wrong with the ledger rows of a sealed day."""
    rows = ledger_rows(ledger, seal.day, snapshot_of(ledger))
    ledger_hash, identity_hash = ledger_hashes(rows)
    sums = structs.asdict(totals(rows))
    problems = [
        f"{name} is {value:,} in the ledger and {getattr(seal, name):,} in the seal"
        for name, value in sums.items()
        if value != getattr(seal, name)
    ]
    if ledger_hash != seal.ledger_hash and not problems:
        problems = ["ledger rows were changed; their sums were not"]
    if identity_hash != seal.identity_hash:
        problems.append("users or sessions of ledger rows were changed")
    return problems


def _kept_from(ledger: Table) -> date:
    kept = ledger.properties.get(RETAINED_FROM)
    return datetime.fromisoformat(kept).astimezone(UTC).date() if kept else date.min
