"""How far a derived table has taken in each of its sources: a mark, kept as a property of the derived table."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from pyiceberg.table import Table

from iceberg.derive.conflicts import start_over
from iceberg.lake import Lake

PROPERTY: Final = "codewave.derived-through."
"""And the source's name: ``snapshot id/sequence number``."""


class Mark(Struct, frozen=True):
    """A snapshot of a source."""

    snapshot_id: int
    sequence_number: int
    """Grows with every commit to the source; tells old files from new ones when the snapshot itself has expired."""


def read_mark(table: Table, source: str) -> Mark | None:
    """The mark of a source; None if nothing of it has been taken in."""
    text = table.properties.get(PROPERTY + source)
    return Mark(*(int(part) for part in text.split("/"))) if text else None


def mark_derived(lake: Lake, table: str, through: Mapping[str, int]) -> None:
    """Remember that everything in these snapshots of the sources is in the derived table.

    A mark only goes forward: of two runs at once, the one that saw more counts. A snapshot that has expired since it
    was looked at leaves its mark where it is, so that it is looked at again.

    :param through: as :func:`touched_intervals` gave it, once each of its intervals has been derived.
    :raises CodewaveError: if others keep committing to the table.
    """
    start_over(table, _write_marks, lake, table, _marks(lake, through))


def _marks(lake: Lake, through: Mapping[str, int]) -> dict[str, Mark]:
    found = {source: lake.load(source).snapshot_by_id(snapshot_id) for source, snapshot_id in through.items()}
    return {
        source: Mark(snapshot.snapshot_id, snapshot.sequence_number or 0)
        for source, snapshot in found.items()
        if snapshot is not None
    }


def _write_marks(lake: Lake, table: str, marks: Mapping[str, Mark]) -> None:
    target = lake.load(table)
    changed = {}
    for source, mark in marks.items():
        old = read_mark(target, source)
        if old is None or old.sequence_number < mark.sequence_number:
            changed[PROPERTY + source] = f"{mark.snapshot_id}/{mark.sequence_number}"
    if changed:
        with target.transaction() as transaction:
            transaction.set_properties(changed)
