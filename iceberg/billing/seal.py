"""A seal and its hashes: what exactly is hashed, and how a row becomes bytes.

A row becomes one line: a JSON object of its values that are not null, keys in order of the alphabet, no spaces, UTF-8,
a time as microseconds since epoch, a date as ``YYYY-MM-DD``, then a newline. So a column that is added later, and is
null in old rows, changes no hash. Lines are in order of (execution_id, kind), by bytes.
"""

import hashlib
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, structs
from pyiceberg.table import Table

from iceberg.lake import Lake

LEDGER: Final = "executions"
SEALS: Final = "billing_seals"

KEY: Final = ("execution_id", "kind")
IDENTITY: Final = ("booked_user_id", "session_id", "user_id")
"""Columns of the ledger that point to a person; with the key they make ``identity_hash``, and all others make
``ledger_hash``. Fixed by name: a column that is classified otherwise later must not change old hashes."""

_BATCH_ROWS: Final = 50_000
_encode: Final = msgspec.json.Encoder(order="sorted").encode
_encode_lines: Final = msgspec.json.Encoder().encode_lines


class Totals(Struct, frozen=True, kw_only=True):
    """What a day's ledger rows add up to."""

    rows: int
    executions: int
    adjustments: int
    cpu_ms: int
    wall_ms: int
    output_bytes: int


class Seal(Struct, frozen=True, kw_only=True):
    """A row of ``billing_seals``; the columns are described in its folder."""

    day: date
    sealed_at: datetime
    rows: int
    executions: int
    adjustments: int
    cpu_ms: int
    wall_ms: int
    output_bytes: int
    ledger_hash: str
    identity_hash: str
    ledger_snapshot_id: int | None
    previous_hash: str | None
    hash: str

    def own_hash(self) -> str:
        """The hash that the other columns give."""
        values = structs.asdict(self)
        del values["hash"]
        return hashlib.sha256(_encode(_plain(values))).hexdigest()

    def same_ledger(self, other: "Seal") -> bool:
        """Whether both seal the same rows of the same day."""
        return (self.day, self.ledger_hash, self.identity_hash) == (other.day, other.ledger_hash, other.identity_hash)


def make_seal(day: date, rows: pa.Table, snapshot_id: int | None, previous: Seal | None, sealed_at: datetime) -> Seal:
    """Seal the ledger rows of a day.

    :param rows: of ``executions``, all of that ``billing_day``, in any order.
    :param snapshot_id: of the ledger that they were read from.
    :param previous: the seal of the day before, if one is.
    """
    ledger_hash, identity_hash = ledger_hashes(rows)
    seal = Seal(
        day=day,
        sealed_at=sealed_at.astimezone(UTC),
        **structs.asdict(totals(rows)),
        ledger_hash=ledger_hash,
        identity_hash=identity_hash,
        ledger_snapshot_id=snapshot_id,
        previous_hash=previous.hash if previous else None,
        hash="",
    )
    return structs.replace(seal, hash=seal.own_hash())


def ledger_hashes(rows: pa.Table) -> tuple[str, str]:
    """``ledger_hash`` and ``identity_hash`` of ledger rows, in hexadecimal."""
    ledger, identity = hashlib.sha256(), hashlib.sha256()
    ordered = rows.sort_by([(name, "ascending") for name in KEY])
    quantities = sorted(set(rows.column_names) - set(IDENTITY))
    who = sorted({*KEY, *IDENTITY})
    for batch in ordered.to_batches(_BATCH_ROWS):
        ledger.update(_lines(batch, quantities))
        identity.update(_lines(batch, who))
    return ledger.hexdigest(), identity.hexdigest()


def totals(rows: pa.Table) -> Totals:
    """Sums over ledger rows."""
    return Totals(
        rows=rows.num_rows,
        executions=_sum(rows["counted"]),
        adjustments=_sum(pc.equal(rows["kind"], "adjustment")),
        cpu_ms=_sum(rows["cpu_ms"]),
        wall_ms=_sum(rows["wall_ms"]),
        output_bytes=_sum(rows["output_bytes"]),
    )


def ledger_rows(table: Table, day: date, snapshot_id: int | None) -> pa.Table:
    """The ledger's rows of a day, as they are in one of its snapshots."""
    rows = table.scan(row_filter=f"billing_day = '{day}'", snapshot_id=snapshot_id).to_arrow()
    return rows.cast(table.schema().as_arrow())


def snapshot_of(table: Table) -> int | None:
    """The newest snapshot of a table, as this handle knows it."""
    snapshot = table.current_snapshot()
    return snapshot.snapshot_id if snapshot else None


def read_seals(lake: Lake) -> list[Seal]:
    """All seals, by day.

    :raises CodewaveError: if the table has not been made yet.
    """
    return seals_of(lake.load(SEALS))


def seals_of(table: Table) -> list[Seal]:
    """As :func:`read_seals`, at the snapshot of this handle."""
    names = Seal.__struct_fields__
    rows = table.scan(selected_fields=names, snapshot_id=snapshot_of(table)).to_arrow().to_pylist()
    return sorted((Seal(**{name: row[name] for name in names}) for row in rows), key=lambda seal: seal.day)


def append_seal(table: Table, seal: Seal) -> None:
    """Append a seal to the table as this handle knows it.

    :raises CommitFailedException: if the table has changed since; nothing is written then.
    """
    schema = table.schema().as_arrow()
    table.append(pa.Table.from_pylist([structs.asdict(seal)], schema=schema))


def _lines(batch: pa.RecordBatch, names: list[str]) -> bytes:
    """Rows as lines of JSON; ``names`` in the order of the keys."""
    held = [name for name in names if batch[name].null_count < batch.num_rows]
    columns = [_plain_column(batch[name]) for name in held]
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    if not any(column.null_count for column in columns):
        return _encode_lines([dict(zip(held, row, strict=True)) for row in rows])
    return _encode_lines(
        [{name: value for name, value in zip(held, row, strict=True) if value is not None} for row in rows]
    )


def _plain_column(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    return pc.strftime(column, "%Y-%m-%d") if pa.types.is_date(column.type) else column


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in values.items() if value is not None}


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        since = value - datetime(1970, 1, 1, tzinfo=UTC)
        return since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds
    return value.isoformat() if isinstance(value, date) else value


def _sum(column: pa.ChunkedArray) -> int:
    return int(pc.sum(column).as_py() or 0)
