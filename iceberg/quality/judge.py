"""Great Expectations at work: a suite judged over chunks of rows, and the counts added up."""

import warnings
from functools import lru_cache
from math import inf
from typing import Any, Final

import msgspec
from msgspec import Struct

from codewave.errors import CodewaveError
from iceberg.definition import TableDefinition
from iceberg.quality.suite import COUNT_TYPES, Expectation, Suite

MOST_FAILURES: Final = 20
"""Failing rows kept for one expectation in one run: enough to see what is wrong."""

_SHOWN: Final = 5
_SEVERITIES: Final = {"block": "critical", "warn": "warning"}
"""Ours → Great Expectations' own, which its pages show."""
_HIDDEN: Final = "(not shown)"


class Failure(Struct, frozen=True):
    """A row that breaks an expectation."""

    key: str
    """JSON object of the suite's key columns."""
    value: str | None
    """JSON object of the columns at fault that are metadata: nothing that points to a person or was written by one."""


class Outcome(Struct):
    """What became of one expectation over an interval."""

    expectation: Expectation
    checked: int = 0
    """Rows judged: of those with a condition, the ones it holds for."""
    missing: int = 0
    """Of them without a value, where the expectation leaves those out."""
    unexpected: int = 0
    failures: list[Failure] = []

    @property
    def success(self) -> bool:
        """Whether it holds: for as large a share of the rows as ``mostly`` says, all by default."""
        kwargs = self.expectation.kwargs
        if self.expectation.type in COUNT_TYPES:
            least, most = kwargs.get("min_value", 0), kwargs.get("max_value", inf)
            return bool(least <= self.checked <= most)
        mostly: float = kwargs.get("mostly", 1)
        return self.unexpected <= (1 - mostly) * (self.checked - self.missing)

    @property
    def observed(self) -> str:
        """What was found, for a person."""
        if self.expectation.type in COUNT_TYPES:
            return f"{self.checked:,} rows"
        if not self.unexpected:
            return f"none of {self.checked:,} rows"
        values = dict.fromkeys(failure.value for failure in self.failures if failure.value)
        shown = f": {', '.join(list(values)[:_SHOWN])}" if values else ""
        return f"{self.unexpected:,} of {self.checked:,} rows{shown}"


class Judge:
    """Judges one interval of a table: give it every chunk, then read :attr:`outcomes`."""

    def __init__(self, suite: Suite, definition: TableDefinition, judged: tuple[Expectation, ...]) -> None:
        """Prepare.

        :param judged: the suite's expectations that chunks are given to.
        """
        self._suite = suite
        self._open = {column.name for column in definition.columns if column.classification == "metadata"} | set(
            suite.meta.computed
        )
        self._judged = judged
        self.outcomes = {one.id: Outcome(one) for one in suite.expectations}

    def rows(self, frame: Any) -> None:
        """Judge a chunk by every expectation that takes chunks."""
        self._judge(frame, self._judged)

    def suspects(self, frame: Any, expectation: Expectation, found: int, checked: int) -> None:
        """Judge the rows that SQL found for one expectation.

        :param found: how many it found in all; ``frame`` may hold fewer.
        :param checked: rows it looked through.
        """
        if len(frame):
            self._judge(frame, (expectation,))
        outcome = self.outcomes[expectation.id]
        if outcome.unexpected:
            outcome.unexpected = found
        outcome.checked = checked

    def _judge(self, frame: Any, expectations: tuple[Expectation, ...]) -> None:
        if not expectations:
            return
        key = [name for name in self._suite.meta.key if name in frame.columns]
        results = validate(self._suite.name, frame, expectations, key)
        for expectation in expectations:
            self._add(expectation, results[expectation.id])

    def _add(self, expectation: Expectation, result: dict[str, Any]) -> None:
        outcome = self.outcomes[expectation.id]
        if expectation.type in COUNT_TYPES:
            outcome.checked += result["observed_value"]
            return
        outcome.checked += result["element_count"]
        outcome.missing += result.get("missing_count", 0)
        outcome.unexpected += result["unexpected_count"]
        for row in result.get("partial_unexpected_index_list") or ():
            if len(outcome.failures) < MOST_FAILURES:
                outcome.failures.append(self._failure(expectation, row))

    def _failure(self, expectation: Expectation, row: dict[str, Any]) -> Failure:
        key = {name: row.get(name) for name in self._suite.meta.key if name in row}
        value = {name: row.get(name) for name in expectation.columns if name in self._open}
        return Failure(_json(key), _json(value) if value else None)


def validate(
    table: str, frame: Any, expectations: tuple[Expectation, ...], key: list[str]
) -> dict[str, dict[str, Any]]:
    """Let Great Expectations judge a frame.

    :param key: columns of the frame that find a failing row again.
    :returns: by the expectation's id, Great Expectations' result.
    :raises CodewaveError: if one cannot be judged, such as a regular expression over numbers.
    """
    result_format = {
        "result_format": "SUMMARY",
        "unexpected_index_column_names": key,
        "partial_unexpected_count": MOST_FAILURES,
    }
    batch = _batch_definition(table).get_batch({"dataframe": frame})
    with warnings.catch_warnings():
        # The contract's patterns have groups, which nothing extracts here.
        warnings.filterwarnings("ignore", message="This pattern is interpreted as a regular expression")
        validated = batch.validate(great_suite(table, expectations), result_format=result_format)
    results = {}
    for one in validated.to_json_dict()["results"]:
        name = one["expectation_config"]["meta"]["id"]
        if one["exception_info"].get("raised_exception", True) and one["exception_info"]:
            raise CodewaveError(f"quality: {table}: {name} cannot be judged: {_reason(one['exception_info'])}")
        results[name] = one["result"]
    return results


def great_suite(table: str, expectations: tuple[Expectation, ...]) -> Any:
    """Great Expectations' suite of some expectations, each with its id in ``meta`` and its severity."""
    import great_expectations as gx

    built = [
        {
            "type": one.type,
            "kwargs": dict(one.kwargs),
            "severity": _SEVERITIES[one.meta.severity],
            "meta": msgspec.to_builtins(one.meta) | {"id": one.id},
        }
        for one in expectations
    ]
    suite = gx.ExpectationSuite(name=table, expectations=built)
    if len(suite.expectations) != len(built):  # it logs and leaves out those it does not understand
        raise CodewaveError(
            f"quality: expectations/{table}.yml: Great Expectations refused an expectation; see its log"
        )
    return suite


@lru_cache(maxsize=1)
def _data_source() -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config).data_sources.add_pandas("lake")


@lru_cache
def _batch_definition(table: str) -> Any:
    return _data_source().add_dataframe_asset(table).add_batch_definition_whole_dataframe("interval")


def _reason(info: dict[str, Any]) -> str:
    first = info if "exception_message" in info else next(iter(info.values()))
    return str(first["exception_message"])


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
