"""Several that close one day, or derive it while it is closed, do no harm; nor does dying in between."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from billing_lake import FIRST, LATER, SECOND, BillingLake
from example_rooms import START_MS, finished

from iceberg.billing import Seal, close, close_day, fence, read_seals, verify_chain
from iceberg.derive import derive
from iceberg.derive import run as derive_run
from iceberg.derive.interval import interval_of
from iceberg.derive.seals import SealedError


def test_of_two_that_close_a_day_at_once_one_seals_it_and_both_have_its_seal(
    lake: BillingLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[Seal] = []
    real = close.append_seal

    def after_another(table: Any, seal: Seal) -> None:
        monkeypatch.setattr(close, "append_seal", real)
        others.append(close_day(lake.lake, FIRST, now=LATER))
        real(table, seal)

    monkeypatch.setattr(close, "append_seal", after_another)
    assert [lake.close(FIRST)] == others == read_seals(lake.lake)


def test_one_that_compares_while_another_seals_has_that_seal_and_no_refusal(
    lake: BillingLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the other's seal the day would have no rows: all of the ledger's would be too many."""
    others: list[Seal] = []
    real = close.pin

    def after_another(handle: Any) -> Any:
        monkeypatch.setattr(close, "pin", real)
        others.append(close_day(lake.lake, FIRST, now=LATER))
        return real(handle)

    monkeypatch.setattr(close, "pin", after_another)
    assert [lake.close(FIRST)] == others == read_seals(lake.lake)


def test_many_at_once_make_one_seal(lake: BillingLake) -> None:
    with ThreadPoolExecutor(4) as threads:
        seals = list(threads.map(lambda _: lake.close(FIRST), range(4)))
    assert [seals[0]] * 4 == seals
    assert read_seals(lake.lake) == seals[:1]


def test_a_run_that_began_before_the_seal_and_ends_after_it_changes_nothing(
    lake: BillingLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run has read the day as open, with an outcome that came after the close had read everything."""
    lake.take(finished(5, cpu_ms=500, execution="run-1", at=START_MS + 7_200_000))
    real = derive_run.replace_interval
    sealed: list[Seal] = []

    def after_the_seal(*arguments: Any) -> int:
        monkeypatch.setattr(derive_run, "replace_interval", real)
        sealed.append(lake.close(FIRST))
        return real(*arguments)

    monkeypatch.setattr(close, "check_refusals", lambda *_: ())
    monkeypatch.setattr(derive_run, "replace_interval", after_the_seal)
    with pytest.raises(SealedError):
        derive(lake.lake, "executions", interval_of("day", FIRST))
    assert read_seals(lake.lake) == sealed
    assert sealed[0].cpu_ms == 240
    assert verify_chain(lake.lake).mismatch is None


def test_a_run_that_commits_between_the_seal_and_the_end_of_the_close_is_undone(
    lake: BillingLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = close.fence

    def after_a_run(handle: Any, seal: Seal) -> None:
        lake.change("executions", "cpu_ms", 1, execution_id="run-1")
        real(handle, seal)

    with monkeypatch.context() as patched:
        patched.setattr(close, "fence", after_a_run)
        seal = lake.close(FIRST)
    assert verify_chain(lake.lake).mismatch is None
    assert lake.close(FIRST) == seal


def test_a_close_that_died_after_the_seal_is_ended_by_closing_again(
    lake: BillingLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(close, "fence", die)
        with pytest.raises(KeyboardInterrupt):
            lake.close(FIRST)
    assert not fence.fenced(lake.lake.load("executions"), FIRST)
    seal = lake.close(FIRST)
    assert fence.fenced(lake.lake.load("executions"), FIRST)
    assert read_seals(lake.lake) == [seal]


def test_closing_again_commits_nothing(lake: BillingLake) -> None:
    lake.close(FIRST)
    before = [lake.lake.load(table).metadata.snapshots for table in ("executions", "billing_seals")]
    lake.close(FIRST)
    assert [lake.lake.load(table).metadata.snapshots for table in ("executions", "billing_seals")] == before


def test_a_sealed_day_is_not_derived_again_and_the_next_one_is(lake: BillingLake) -> None:
    lake.close(FIRST)
    with pytest.raises(SealedError):
        derive(lake.lake, "executions", interval_of("day", FIRST))
    assert derive(lake.lake, "executions", interval_of("day", SECOND)).rows == 1
