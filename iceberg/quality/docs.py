"""Data Docs: Great Expectations' own pages of every suite and of the last verdicts, in the lake's state folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from iceberg.derive.interval import Interval
from iceberg.lake import Lake
from iceberg.quality.judge import Outcome, great_suite
from iceberg.quality.suite import COUNT_TYPES, Suite, read_suite, suite_names

KEPT_VERDICTS: Final = 20
"""Of each table; quality_results has all of them."""

_SITE: Final = "quality"
_INDEX: Final = "index.html"


class Verdict(Struct, frozen=True):
    """What a gate said of one interval."""

    suite: Suite
    interval: Interval | None
    run_id: str
    run_at: datetime
    outcomes: list[Outcome]


def data_docs(lake: Lake) -> Path:
    """The first page; it may not be there yet."""
    return lake.state / "data-docs" / _INDEX


def build_docs(lake: Lake, verdicts: list[Verdict], *, everything: bool = False) -> Path:
    """Add verdicts to the pages, drop those beyond :data:`KEPT_VERDICTS`, and write the pages.

    One process at a time: others wait. What is shown of failing rows is what ``quality_failures`` has.

    :param everything: write every page again, not only those of these verdicts.
    :returns: the first page.
    """
    page = data_docs(lake)
    page.parent.mkdir(parents=True, exist_ok=True)
    with _alone(lake.state / "data-docs.lock"):
        context = _context(lake.state)
        for name in suite_names():
            context.suites.add(great_suite(name, read_suite(name).expectations))
        stored = [_store(context, verdict) for verdict in verdicts[-KEPT_VERDICTS:]]
        _prune(context)
        # All pages take seconds, so only new ones are written, and the first page, which lists them.
        new = [*{one.expectation_suite_identifier: None for one in stored}, *stored]
        context.build_data_docs(resource_identifiers=None if everything or not page.exists() else new)
    return page


def _store(context: Any, verdict: Verdict) -> Any:
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    name = verdict.suite.name
    succeeded = sum(outcome.success for outcome in verdict.outcomes)
    total = len(verdict.outcomes)
    run = RunIdentifier(run_name=_run_name(verdict), run_time=verdict.run_at)
    result = ExpectationSuiteValidationResult(
        success=succeeded == total,
        results=_results(verdict),
        suite_name=name,
        statistics={
            "evaluated_expectations": total,
            "successful_expectations": succeeded,
            "unsuccessful_expectations": total - succeeded,
            "success_percent": 100 * succeeded / total if total else None,
        },
        meta={
            "run_id": run,
            "validation_time": verdict.run_at,
            "active_batch_definition": {"datasource_name": "lake", "data_asset_name": name, "batch_identifiers": {}},
        },
    )
    suite = ExpectationSuiteIdentifier(name=name)
    place = ValidationResultIdentifier(expectation_suite_identifier=suite, run_id=run, batch_identifier=name)
    context.validation_results_store.store_validation_results(
        suite_validation_result=result, suite_validation_result_identifier=place, expectation_suite_identifier=suite
    )
    return place


def _results(verdict: Verdict) -> list[Any]:
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult

    suite = great_suite(verdict.suite.name, tuple(outcome.expectation for outcome in verdict.outcomes))
    configurations = {one.meta["id"]: one.configuration for one in suite.expectations}
    no_error = {"raised_exception": False, "exception_traceback": None, "exception_message": None}
    return [
        ExpectationValidationResult(
            success=outcome.success,
            expectation_config=configurations[outcome.expectation.id],
            result=_result(outcome),
            exception_info=no_error,
        )
        for outcome in verdict.outcomes
    ]


def _result(outcome: Outcome) -> dict[str, Any]:
    if outcome.expectation.type in COUNT_TYPES:
        return {"observed_value": outcome.checked}
    judged = outcome.checked - outcome.missing
    share = 100 * outcome.unexpected / judged if judged else 0.0
    return {
        "element_count": outcome.checked,
        "missing_count": outcome.missing,
        "unexpected_count": outcome.unexpected,
        "unexpected_percent": share,
        "partial_unexpected_list": [failure.value or failure.key for failure in outcome.failures],
    }


def _run_name(verdict: Verdict) -> str:
    return f"{verdict.run_id}-{verdict.interval.start:%Y%m%dT%H%M}" if verdict.interval else verdict.run_id


def _prune(context: Any) -> None:
    store = context.validation_results_store
    by_suite: dict[str, list[Any]] = {}
    for key in store.list_keys():
        by_suite.setdefault(key.expectation_suite_identifier.name, []).append(key)
    for keys in by_suite.values():
        keys.sort(key=lambda key: key.run_id.run_time, reverse=True)
        for key in keys[KEPT_VERDICTS:]:
            store.remove_key(key)


def _context(state: Path) -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    def folder(name: str) -> dict[str, str]:
        path = state / name
        return {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(path.resolve()),
            "root_directory": str(state.resolve()),
        }

    defaults = InMemoryStoreBackendDefaults()
    results = {"class_name": "ValidationResultsStore", "store_backend": folder("verdicts")}
    config = DataContextConfig(
        stores=defaults.stores | {defaults.validation_results_store_name: results},
        expectations_store_name=defaults.expectations_store_name,
        validation_results_store_name=defaults.validation_results_store_name,
        checkpoint_store_name=defaults.checkpoint_store_name,
        data_docs_sites={
            _SITE: {
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "store_backend": folder("data-docs"),
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            }
        },
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
