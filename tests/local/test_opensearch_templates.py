"""The index templates against the rows that the stream writes, and the policies against the templates."""

import types
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest

from codewave.lake.refused_documents import REFUSED
from codewave.local.namespace import Namespace
from codewave.local.opensearch import COMPONENT, hot_days, index_template, read_definitions
from udfs import rows

ROWS: dict[str, type[rows.Row]] = {
    "activity": rows.ActivityRow,
    "executions": rows.ExecutionStatusRow,
    "execution-logs": rows.ExecutionLogRow,
    "chat": rows.ChatMessageRow,
    "quarantine": rows.QuarantinedEventRow,
    "gaps": rows.SequenceGapRow,
    "rooms": rows.RoomRow,
}
DAYS_KEPT_HOT = {
    "activity": 14,
    "executions": 30,
    "execution-logs": 30,
    "chat": 14,
    "quarantine": 14,
    "gaps": 14,
    "refused": 14,
}
LONGEST_TERM_BYTES = 32_766
"""Of Lucene: a document with a longer term is refused, unless the field ignores it."""
LONGEST_CHARACTER_BYTES = 4
OPENSEARCH_TYPES = {int: {"long"}, bool: {"boolean"}, str: {"keyword", "text"}}
TEMPLATES = read_definitions("templates")
EVERY = sorted(TEMPLATES)
LIVE = Namespace()


def types_of(hint: Any) -> set[str]:
    """OpenSearch types that can hold a row's field."""
    if get_origin(hint) is Annotated:
        return {"date"} if hint.__metadata__ == rows.Timestamp.__metadata__ else types_of(get_args(hint)[0])
    if get_origin(hint) in {Union, types.UnionType}:
        return types_of(next(one for one in get_args(hint) if one is not type(None)))
    if get_origin(hint) is list:
        (element,) = get_args(hint)
        return {"nested"} if issubclass(element, rows.Row) else types_of(element)
    return OPENSEARCH_TYPES[hint]


def mismatches(row: type[rows.Row], mapping: dict[str, Any]) -> list[str]:
    hints, fields = get_type_hints(row, include_extras=True), mapping["properties"]
    wrong = [f"{name}: missing" for name in hints.keys() - fields.keys()]
    wrong += [f"{name}: no such field" for name in fields.keys() - hints.keys()]
    return wrong + [
        f"{name}: {fields[name]['type']} for {hint}"
        for name, hint in hints.items()
        if name in fields and fields[name]["type"] not in types_of(hint)
    ]


def fields_of(mapping: dict[str, Any]) -> list[dict[str, Any]]:
    """Every field of a mapping, those inside others too."""
    own = list(mapping["properties"].values())
    return own + [field for outer in own if "properties" in outer for field in fields_of(outer)]


def test_every_search_output_has_a_template_and_so_have_refused_documents() -> None:
    assert TEMPLATES.keys() == ROWS.keys() | {REFUSED}


@pytest.mark.parametrize("name", ROWS)
def test_a_template_has_exactly_the_fields_of_its_row(name: str) -> None:
    assert mismatches(ROWS[name], TEMPLATES[name]["template"]["mappings"]) == []


def test_a_room_lists_who_is_present_with_the_fields_of_their_row() -> None:
    assert mismatches(rows.PresentRow, TEMPLATES["rooms"]["template"]["mappings"]["properties"]["present"]) == []


@pytest.mark.parametrize("name", EVERY)
def test_a_template_keeps_fields_it_does_not_know_without_indexing_them(name: str) -> None:
    mapping = TEMPLATES[name]["template"]["mappings"]
    nested = [field for field in fields_of(mapping) if "properties" in field]
    assert [part["dynamic"] for part in (mapping, *nested)] == [False] * (1 + len(nested))


@pytest.mark.parametrize("name", EVERY)
def test_no_keyword_can_be_too_long_to_be_taken(name: str) -> None:
    keywords = [field for field in fields_of(TEMPLATES[name]["template"]["mappings"]) if field["type"] == "keyword"]
    indexed = [field for field in keywords if field.get("index", True) or field.get("doc_values", True)]
    assert indexed
    assert all(field["ignore_above"] * LONGEST_CHARACTER_BYTES <= LONGEST_TERM_BYTES for field in indexed)


def test_a_value_that_does_not_fit_its_field_does_not_refuse_the_document() -> None:
    assert read_definitions("components")["text"]["template"]["settings"]["mapping"]["ignore_malformed"] is True


def test_a_refused_document_is_kept_as_it_is_and_cannot_be_refused_again() -> None:
    kept = TEMPLATES[REFUSED]["template"]["mappings"]["properties"]["document"]
    assert kept == {"type": "object", "enabled": False}


@pytest.mark.parametrize("name", EVERY)
def test_a_template_is_composed_of_the_shared_settings(name: str) -> None:
    assert TEMPLATES[name]["composed_of"] == [COMPONENT]


def test_a_text_field_uses_an_analyzer_that_the_shared_settings_define() -> None:
    analyzers = read_definitions("components")["text"]["template"]["settings"]["analysis"]["analyzer"].keys()
    texts = [
        field
        for template in TEMPLATES.values()
        for field in template["template"]["mappings"]["properties"].values()
        if field["type"] == "text"
    ]
    assert texts
    assert all({field["analyzer"], field["search_analyzer"]} <= analyzers for field in texts)


def test_the_body_of_a_refused_event_is_kept_but_not_indexed() -> None:
    body = TEMPLATES["quarantine"]["template"]["mappings"]["properties"]["body"]
    assert (body["index"], body["doc_values"]) == (False, False)


def test_the_live_namespace_has_no_prefix() -> None:
    _, template = index_template("chat", TEMPLATES["chat"], LIVE)
    assert template["index_patterns"] == ["chat-*"]


def test_another_namespace_prefixes_its_patterns() -> None:
    name, template = index_template("chat", TEMPLATES["chat"], Namespace("shadow"))
    assert (name, template["index_patterns"]) == ("codewave-shadow-chat", ["shadow-chat-*"])


def test_a_prefixed_template_wins_where_the_live_one_would_match_too() -> None:
    _, live = index_template("activity", TEMPLATES["activity"], LIVE)
    _, other = index_template("activity", TEMPLATES["activity"], Namespace("activity"))
    assert other["priority"] > live["priority"]


def test_policies_keep_indices_hot_as_long_as_the_design_says() -> None:
    assert {name: hot_days(policy) for name, policy in read_definitions("policies").items()} == DAYS_KEPT_HOT


@pytest.mark.parametrize("name", DAYS_KEPT_HOT)
def test_a_policy_applies_to_the_indices_of_its_template(name: str) -> None:
    policy = read_definitions("policies")[name]["policy"]
    assert policy["ism_template"][0]["index_patterns"] == TEMPLATES[name]["index_patterns"]


@pytest.mark.parametrize("name", DAYS_KEPT_HOT)
def test_a_policy_only_moves_between_states_that_it_has(name: str) -> None:
    policy = read_definitions("policies")[name]["policy"]
    states = {state["name"] for state in policy["states"]}
    targets = {move["state_name"] for state in policy["states"] for move in state["transitions"]}
    assert targets | {policy["default_state"]} <= states
