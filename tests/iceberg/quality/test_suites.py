"""Every table has a suite, and what the suites say follows from the tables' folders, the contract and the code."""

import ast
from pathlib import Path
from typing import Any, get_args

import pytest

import udfs.audit
import udfs.gaps
import udfs.room
from codewave.contract.events import LATEST_VERSIONS, Outcome, Stream
from codewave.contract.fields import EVENT_ID_PATTERN, ID_PATTERN, ORDERING_KEY_PATTERN
from codewave.contract.reasons import Reason
from codewave.errors import WrongUseError
from iceberg.definition import read_definitions
from iceberg.quality.suite import KEY_TYPES, NOT_NULL, Expectation, Suite, names, read_suite, suite_names
from udfs.execution import BY_EVENT, BY_LIMIT, BY_SILENCE, LOST
from udfs.quarantine import Record, quarantined
from udfs.refusal import Refusal
from udfs.route import ROUTES

DEFINITIONS = {definition.name: definition for definition in read_definitions()}
SUITES = {name: read_suite(name) for name in suite_names()}

VALID = """
name: notes
meta: {key: [id]}
expectations:
  - {type: expect_column_values_to_be_unique, kwargs: {column: id}, meta: {severity: block, why: Once.}}
"""


def constants(module: Any, *, calls: set[str] = frozenset(), keyword: str = "") -> set[str]:  # type: ignore[assignment]
    """Texts that a module's source gives to some functions, or as some keyword argument."""
    found = set()
    for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given = [one for argument in node.args if name in calls for one in ast.walk(argument)]
            given += [one for word in node.keywords if word.arg == keyword for one in ast.walk(word.value)]
            found |= {one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return found


def encodings() -> set[str]:
    """What the code calls the encodings of a refused body, of text and of bytes that are none."""
    record = Record(b"", "shard-0", "1", 0)
    refusals = [Refusal(Reason.NOT_JSON, "$", "", body) for body in (b"{", b"\xff")]
    return {quarantined(refusal, record, None, "0").body_encoding for refusal in refusals}


GIVEN_UP = constants(udfs.room, calls={"_declare", "_give_up", "Gap"})
LATE = constants(udfs.gaps, keyword="cause")
OUTCOMES = set(get_args(get_args(Outcome)[0]))

VALUE_SETS = {
    ("execution_events", "outcome", None): OUTCOMES,
    ("execution_outcomes", "outcome", None): OUTCOMES,
    ("execution_outcomes", "outcome", "decided_by IN silence, limit"): {LOST},
    ("execution_outcomes", "decided_by", None): {BY_EVENT, BY_SILENCE, BY_LIMIT},
    ("executions", "outcome", None): OUTCOMES,
    ("executions", "decided_by", None): {BY_EVENT, BY_SILENCE, BY_LIMIT},
    ("execution_logs", "stream", None): set(get_args(get_args(Stream)[0])),
    ("quarantined_events", "reason", None): set(Reason),
    ("quarantined_events", "body_encoding", None): encodings(),
    ("record_audit", "cause", None): constants(udfs.audit, keyword="cause"),
    ("sequence_gaps", "status", None): constants(udfs.gaps, keyword="status"),
    ("sequence_gaps", "cause", None): GIVEN_UP | LATE,
    ("sequence_gaps", "cause", "status == filled"): LATE,
    ("sequence_gaps", "cause", "status == declared"): GIVEN_UP,
}
"""What the code can write: the suites repeat it, so that Great Expectations can read them."""

OWN_WORDS = {
    ("executions", "kind"),
    ("executions", "counted"),
    ("pipeline_reliability_hourly", "lost"),
    ("quality_results", "severity"),
    ("reconciliation_hourly", "difference"),
}
"""Value sets of derived tables that no code outside of their own folder defines."""


def in_sets() -> list[tuple[str, Expectation]]:
    return [(suite.name, one) for suite in SUITES.values() for one in suite.expectations if "value_set" in one.kwargs]


def test_every_table_has_a_suite_and_every_suite_a_table() -> None:
    assert set(SUITES) == set(DEFINITIONS)


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_a_suite_names_only_columns_that_are_there(suite: Suite) -> None:
    columns = {column.name for column in DEFINITIONS[suite.name].columns}
    computed = {name for expression in suite.meta.computed.values() for name in names(expression)}
    assert suite.columns() | computed <= columns
    used = set().union(*(one.all_columns() for one in suite.expectations))
    assert set(suite.meta.computed) <= used


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_every_required_column_blocks_when_it_is_empty(suite: Suite) -> None:
    required = {column.name for column in DEFINITIONS[suite.name].columns if column.required}
    blocking = {
        one.columns[0]
        for one in suite.expectations
        if one.type == NOT_NULL and one.meta.severity == "block" and one.condition is None
    }
    assert blocking == required


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_what_no_two_rows_of_a_table_share_is_unique_in_its_suite(suite: Suite) -> None:
    unique = [set(one.columns) for one in suite.expectations if one.type in KEY_TYPES and one.meta.severity == "block"]
    key = set(DEFINITIONS[suite.name].key)
    assert unique or suite.name == "quality_failures"
    assert not key or key in unique


@pytest.mark.parametrize(("table", "one"), in_sets(), ids=lambda value: getattr(value, "id", value))
def test_a_set_of_values_is_what_the_contract_and_the_code_know(table: str, one: Expectation) -> None:
    column = one.columns[0]
    if column == "type":
        known: set[Any] = {name for name, (output, _) in ROUTES.items() if output == table}
    elif column == "version":
        known = {LATEST_VERSIONS[name] for name, (output, _) in ROUTES.items() if output == table}
    elif (table, column) in OWN_WORDS:
        return
    else:
        known = VALUE_SETS[table, column, one.condition]
    assert set(one.kwargs["value_set"]) == known


def test_what_the_code_knows_is_found_at_all() -> None:
    assert {"timeout", "refused"} < GIVEN_UP
    assert {"late"} == LATE


def test_patterns_are_the_contracts() -> None:
    contract = {
        "event_id": EVENT_ID_PATTERN,
        "reply_to": EVENT_ID_PATTERN,
        "ordering_key": ORDERING_KEY_PATTERN,
        "room_id": ID_PATTERN,
        "session_id": ID_PATTERN,
        "user_id": ID_PATTERN,
        "document_id": ID_PATTERN,
        "execution_id": ID_PATTERN,
    }
    used = [
        (one.columns[0], one.kwargs["regex"])
        for s in SUITES.values()
        for one in s.expectations
        if "regex" in one.kwargs
    ]
    own = {"sequence_number", "hash", "previous_hash"}
    assert [(name, regex) for name, regex in used if name not in own] == [
        (name, contract[name]) for name, _ in used if name not in own
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: notes", "name: other", "it must be the file's"),
        ("severity: block", "severity: stop", "Invalid enum value 'stop'"),
        (", why: Once.", "", "missing required field `why`"),
        ("expect_column_values_to_be_unique", "expect_column_stdev_to_be_between", "cannot be judged in chunks"),
        (
            "expectations:",
            "expectations:\n  - &a {type: expect_table_row_count_to_be_between, kwargs: {}, "
            "meta: {severity: warn, why: Some.}}\n  - *a",
            "is there twice",
        ),
        ("{column: id}", "{column: id, row_condition: a == 1}", "expectations/notes.yml"),
        ("meta: {key: [id]}", "meta: {key: [id]", "not YAML"),
    ],
)
def test_a_mistake_in_a_suite_is_named_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "notes.yml").write_text(VALID.replace(old, new), encoding="utf-8")
    with pytest.raises(WrongUseError, match=message) as error:
        read_suite("notes", tmp_path)
    assert "expectations/notes.yml" in str(error.value)


def test_a_table_without_a_suite_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUseError, match="every table has a suite"):
        read_suite("notes", tmp_path)
