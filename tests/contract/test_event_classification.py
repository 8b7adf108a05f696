"""Every value of every event has a classification."""

from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct

from codewave.contract.classification import UnclassifiedFieldError, leaves
from codewave.contract.events import EVENT_TYPES, DocumentEdited, Event
from codewave.contract.fields import Count, Id, Text
from codewave.contract.schemas import Schema, current_schemas


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_field_of_a_type_is_classified(kind: str) -> None:
    assert leaves(EVENT_TYPES[kind])


def test_what_a_person_wrote_is_user_content() -> None:
    content = {
        f"{kind}: {leaf.path}"
        for kind, struct in EVENT_TYPES.items()
        for leaf in leaves(struct)
        if leaf.classification == "user_content"
    }
    assert content == {
        "document.edited: payload.patches[][2]",
        "chat.posted: payload.text",
        "execution.output: payload.text",
    }


def test_what_points_to_a_person_is_personal() -> None:
    personal = {leaf.path for leaf in leaves(DocumentEdited) if leaf.classification == "personal"}
    assert personal == {"session_id", "user_id", "ordering_key", "payload.parents[][0]"}


def test_a_field_without_a_classification_is_named() -> None:
    class Payload(Struct):
        known: Id
        pairs: list[tuple[Count, str]]

    class Unclassified(Event, tag="test.unclassified"):
        payload: Payload

    with pytest.raises(UnclassifiedFieldError, match=r"payload\.pairs\[\]\[1\]: no classification"):
        leaves(Unclassified)


def test_an_unknown_classification_counts_as_none() -> None:
    class Secret(Event, tag="test.secret"):
        note: Annotated[str, Meta(extra={"classification": "secret"})]

    with pytest.raises(UnclassifiedFieldError, match="note"):
        leaves(Secret)


def test_an_optional_field_keeps_its_classification() -> None:
    class Optional(Event, tag="test.optional"):
        note: Text | None = None

    assert leaves(Optional)[-1].classification == "user_content"


@pytest.mark.parametrize("schema", current_schemas().values(), ids=lambda schema: schema["$id"])
def test_a_schema_carries_the_classifications_of_its_struct(schema: Schema) -> None:
    kind = schema["properties"]["type"]["const"]
    assert sorted(classified(schema)) == sorted((leaf.path, leaf.classification) for leaf in leaves(EVENT_TYPES[kind]))


def classified(schema: Any, path: str = "") -> list[tuple[str, str]]:
    if "x-classification" in schema:
        return [(path, schema["x-classification"])]
    found = []
    for name, field in schema.get("properties", {}).items():
        found += classified(field, f"{path}.{name}".removeprefix("."))
    for branch in schema.get("anyOf", []):
        found += classified(branch, path)
    for index, item in enumerate(schema.get("prefixItems", [])):
        found += classified(item, f"{path}[{index}]")
    if isinstance(schema.get("items"), dict):
        found += classified(schema["items"], f"{path}[]")
    return found
