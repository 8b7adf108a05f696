"""Seals prove that nothing was changed: each hash can be computed again, and each hangs on the one before."""

import hashlib
from datetime import date, timedelta

import msgspec
import pyarrow as pa
import pytest
from billing_lake import FIRST, SECOND, THIRD, BillingLake
from msgspec import structs

from iceberg.billing import read_seals, verify_chain
from iceberg.billing.refusal import SealBrokenError
from iceberg.billing.seal import IDENTITY, LEDGER, append_seal, ledger_hashes, ledger_rows, snapshot_of
from iceberg.derive.reach import RETAINED_FROM


def first_mismatch(lake: BillingLake) -> date | None:
    mismatch = verify_chain(lake.lake).mismatch
    return mismatch.day if mismatch else None


def days_rows(lake: BillingLake, day: date = FIRST) -> pa.Table:
    ledger = lake.lake.load(LEDGER)
    return ledger_rows(ledger, day, snapshot_of(ledger))


def test_an_untouched_chain_verifies_to_its_head(sealed: BillingLake) -> None:
    report = verify_chain(sealed.lake)
    assert (report.days, report.first_day, report.last_day, report.mismatch) == (3, FIRST, THIRD, None)
    assert report.head == read_seals(sealed.lake)[-1].hash


def test_a_chain_without_seals_verifies(lake: BillingLake) -> None:
    assert verify_chain(lake.lake).days == 0


@pytest.mark.parametrize(
    ("column", "value"),
    [("cpu_ms", 119), ("room_id", "room-8"), ("outcome", "failed"), ("exit_code", None), ("kind", "adjustment")],
)
def test_a_changed_row_of_a_sealed_day_is_found(sealed: BillingLake, column: str, value: object) -> None:
    sealed.change("executions", column, value, execution_id="run-3")
    assert first_mismatch(sealed) == SECOND


def test_a_changed_user_is_found_and_told_apart_from_changed_quantities(sealed: BillingLake) -> None:
    sealed.change("executions", "user_id", "eve", execution_id="run-3")
    mismatch = verify_chain(sealed.lake).mismatch
    assert mismatch is not None
    assert (mismatch.day, mismatch.what) == (SECOND, ("users or sessions of ledger rows were changed",))


def test_quantities_moved_from_one_execution_to_another_are_found(sealed: BillingLake) -> None:
    sealed.change("executions", "cpu_ms", 100, execution_id="run-1")
    sealed.change("executions", "cpu_ms", 140, execution_id="run-2")
    mismatch = verify_chain(sealed.lake).mismatch
    assert mismatch is not None
    assert (mismatch.day, mismatch.what) == (FIRST, ("ledger rows were changed; their sums were not",))


def test_a_removed_and_an_added_row_are_found(sealed: BillingLake) -> None:
    sealed.copy("executions", execution_id="run-3")
    assert first_mismatch(sealed) == SECOND
    sealed.remove("executions", execution_id="run-1")
    assert first_mismatch(sealed) == FIRST


@pytest.mark.parametrize("column", ["cpu_ms", "rows", "ledger_hash", "identity_hash", "sealed_at"])
def test_a_changed_seal_is_found(sealed: BillingLake, column: str) -> None:
    second = read_seals(sealed.lake)[1]
    value = {"sealed_at": second.sealed_at + timedelta(seconds=1)}.get(column)
    wrong = value or ("0" * 64 if column.endswith("hash") else 7)
    sealed.change("billing_seals", column, wrong, day=SECOND)
    assert first_mismatch(sealed) == SECOND


def test_a_day_that_is_sealed_anew_breaks_the_day_after_it(sealed: BillingLake) -> None:
    """Who changes a day and computes its seal again would have to do so for every day after it."""
    sealed.change("executions", "cpu_ms", 1, execution_id="run-1")
    first = read_seals(sealed.lake)[0]
    ledger_hash, _ = ledger_hashes(days_rows(sealed))
    forged = structs.replace(first, cpu_ms=first.cpu_ms - 119, ledger_hash=ledger_hash)
    forged = structs.replace(forged, hash=forged.own_hash())
    sealed.remove("billing_seals", day=FIRST)
    append_seal(sealed.lake.load("billing_seals"), forged)
    mismatch = verify_chain(sealed.lake).mismatch
    assert mismatch is not None
    assert (mismatch.day, mismatch.what[0].split(" on ")[0]) == (SECOND, "it was sealed")


def test_a_removed_seal_is_found_by_the_day_after_it(sealed: BillingLake) -> None:
    sealed.remove("billing_seals", day=SECOND)
    assert first_mismatch(sealed) == THIRD


def test_closing_a_sealed_day_that_was_changed_fails(sealed: BillingLake) -> None:
    sealed.change("executions", "cpu_ms", 1, execution_id="run-1")
    with pytest.raises(SealBrokenError, match=r"2026-01-01: sealed at .* cpu_ms is 121 in the ledger and 240 in the"):
        sealed.close(FIRST)


def test_days_that_retention_has_removed_are_verified_by_their_place_alone(sealed: BillingLake) -> None:
    ledger = sealed.lake.load("executions")
    with ledger.transaction() as transaction:
        transaction.set_properties({RETAINED_FROM: "2026-01-02T00:00:00+00:00"})
    sealed.remove("executions", billing_day=FIRST)
    report = verify_chain(sealed.lake)
    assert (report.without_rows, report.mismatch) == (1, None)
    sealed.change("billing_seals", "rows", 7, day=FIRST)
    assert first_mismatch(sealed) == FIRST


def test_the_order_and_the_files_of_the_rows_change_no_hash(sealed: BillingLake) -> None:
    rows = days_rows(sealed)
    assert ledger_hashes(rows.take([1, 0])) == ledger_hashes(rows)


def test_a_column_that_is_added_later_changes_no_hash(sealed: BillingLake) -> None:
    rows = days_rows(sealed)
    wider = rows.append_column("added", pa.nulls(rows.num_rows, pa.int64()))
    assert ledger_hashes(wider) == ledger_hashes(rows)


def test_the_hash_can_be_computed_by_the_documented_rule_alone(sealed: BillingLake) -> None:
    """docs/operator/billing.md, written a second time with nothing of the close's own code."""
    lines = []
    for row in sorted(days_rows(sealed).to_pylist(), key=lambda row: (row["execution_id"], row["kind"])):
        shown = {}
        for name, value in sorted(row.items()):
            if value is None or name in {"user_id", "session_id", "booked_user_id"}:
                continue
            if hasattr(value, "timestamp"):
                shown[name] = round(value.timestamp() * 1000) * 1000
            else:
                shown[name] = value.isoformat() if isinstance(value, date) else value
        lines.append(msgspec.json.encode(shown).decode())
    expected = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
    assert read_seals(sealed.lake)[0].ledger_hash == expected


def test_what_points_to_a_person_is_hashed_apart(lake: BillingLake) -> None:
    personal = {one.name for one in lake.lake.definition(LEDGER).columns if one.classification == "personal"}
    assert personal == set(IDENTITY)
