"""Which changes of a schema break the writers of the last release."""

from pathlib import Path
from typing import Any

import pytest

from codewave.contract.compatibility import breaking_changes, last_release
from codewave.contract.schemas import Schema, current_schemas, read_schemas

STRING: Schema = {"type": "string", "maxLength": 10}
NUMBER: Schema = {"type": "integer", "minimum": 0, "maximum": 9}
NULL: Schema = {"type": "null"}


def object_of(*required: str, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def changes(old: Schema, new: Schema) -> list[str]:
    return breaking_changes({"chat.posted.v1.json": old}, {"chat.posted.v1.json": new})


def field_change(old: Schema, new: Schema) -> list[str]:
    return changes(object_of("text", text=old), object_of("text", text=new))


def test_the_contract_accepts_all_that_the_last_release_accepted() -> None:
    assert breaking_changes(read_schemas(last_release()), current_schemas()) == []


def test_removing_a_type_is_named() -> None:
    assert breaking_changes({"chat.posted.v1.json": {}}, {}) == [
        "chat.posted.v1: the type is gone; old events of it could no longer be read"
    ]


def test_adding_a_type_passes() -> None:
    assert breaking_changes({}, {"chat.edited.v1.json": {}}) == []


def test_removing_a_field_is_named_with_its_path() -> None:
    old = object_of(payload=object_of(text=STRING, reply_to=STRING))
    new = object_of(payload=object_of(text=STRING))
    assert changes(old, new) == ["chat.posted.v1: payload.reply_to is gone; keep it or make a new version"]


def test_adding_an_optional_field_passes() -> None:
    assert changes(object_of("text", text=STRING), object_of("text", text=STRING, mood=STRING)) == []


def test_adding_a_required_field_is_named() -> None:
    (change,) = changes(object_of("text", text=STRING), object_of("text", "mood", text=STRING, mood=STRING))
    assert change.startswith("chat.posted.v1: mood was added as required")


def test_making_a_field_required_is_named() -> None:
    (change,) = changes(object_of(text=STRING), object_of("text", text=STRING))
    assert change.startswith("chat.posted.v1: text became required")


def test_making_a_field_optional_passes() -> None:
    assert changes(object_of("text", text=STRING), object_of(text=STRING)) == []


ALLOWED: dict[str, tuple[Any, Any]] = {
    "the same": (NUMBER, NUMBER),
    "null as well": (STRING, {"anyOf": [STRING, NULL]}),
    "a higher maximum": (NUMBER, NUMBER | {"maximum": 10}),
    "a lower minimum": (NUMBER, NUMBER | {"minimum": -1}),
    "no maximum": (NUMBER, {"type": "integer"}),
    "longer text": (STRING, STRING | {"maxLength": 11}),
    "another value of an enum": ({"enum": ["a"]}, {"enum": ["a", "b"]}),
    "no pattern": (STRING | {"pattern": "^a$"}, STRING),
    "another description": (STRING, STRING | {"description": "New words."}),
    "fewer elements needed": ({"type": "array", "minItems": 2}, {"type": "array", "minItems": 1}),
}


@pytest.mark.parametrize(("old", "new"), ALLOWED.values(), ids=ALLOWED)
def test_loosening_a_rule_passes(old: Schema, new: Schema) -> None:
    assert field_change(old, new) == []


PAIR = {"type": "array", "prefixItems": [STRING, NUMBER], "items": False}
BREAKING: dict[str, tuple[Any, Any, str]] = {
    "retyped": (STRING, NUMBER, "text was string and is integer"),
    "retyped where null is allowed": ({"anyOf": [STRING, NULL]}, {"anyOf": [NUMBER, NULL]}, "text was string"),
    "no longer null": ({"anyOf": [STRING, NULL]}, STRING, "text was null and may no longer be"),
    "a lower maximum": (NUMBER, NUMBER | {"maximum": 8}, "text had maximum 9 and has 8"),
    "a higher minimum": (NUMBER, NUMBER | {"minimum": 1}, "text had minimum 0 and has 1"),
    "a new bound": ({"type": "string"}, STRING, "text has a new maxLength of 10"),
    "a bound where null is allowed": ({"anyOf": [NUMBER, NULL]}, {"anyOf": [NUMBER | {"maximum": 8}, NULL]}, "has 8"),
    "more elements needed": ({"type": "array"}, {"type": "array", "minItems": 1}, "text has a new minItems of 1"),
    "fewer values of an enum": ({"enum": ["a", "b"]}, {"enum": ["a"]}, "text may no longer be b"),
    "another constant": ({"const": 1}, {"const": 2}, "text may no longer be 1"),
    "an enum of a string": (STRING, STRING | {"enum": ["a"]}, "text is now one of a"),
    "a new pattern": (STRING, STRING | {"pattern": "^a$"}, "text has another pattern"),
    "elements retyped": ({"type": "array", "items": STRING}, {"type": "array", "items": NUMBER}, "text[] was string"),
    "a place of a tuple retyped": (PAIR, PAIR | {"prefixItems": [STRING, STRING]}, "text[1] was integer"),
    "a place more in a tuple": (PAIR, PAIR | {"prefixItems": [STRING, NUMBER, NUMBER]}, "text had 2 places and has 3"),
}


@pytest.mark.parametrize(("old", "new", "expected"), BREAKING.values(), ids=BREAKING)
def test_tightening_a_rule_is_named_with_type_and_field(old: Schema, new: Schema, expected: str) -> None:
    (change,) = field_change(old, new)
    assert change.startswith("chat.posted.v1: text")
    assert expected in change


def test_the_last_release_is_the_highest_by_number_not_by_letter(tmp_path: Path) -> None:
    for release in ("v0.9.0", "v0.10.0", "v0.2.1"):
        (tmp_path / release).mkdir()
    assert last_release(tmp_path).name == "v0.10.0"


def test_no_release_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="copy the schemas folder"):
        last_release(tmp_path)
