"""The example rooms that other tests build on are valid events of the contract."""

import json

import example_rooms as rooms
import jsonschema
import pytest

from codewave.contract.events import EVENT_TYPES, DocumentEdited, Event
from codewave.contract.frame import unframe
from codewave.contract.schemas import current_schemas
from codewave.contract.text import apply_patches, checksum_of

SMALL_ROOM = rooms.small_room()


@pytest.mark.parametrize("event", SMALL_ROOM, ids=lambda event: f"{event.ordering_key}-{event.sequence}")
def test_an_example_event_passes_its_json_schema(event: Event) -> None:
    value = json.loads(rooms.encode(event))
    jsonschema.validate(value, current_schemas()[f"{value['type']}.v1.json"])


def test_the_small_room_has_every_type_of_event() -> None:
    assert {type(event) for event in SMALL_ROOM} == set(EVENT_TYPES.values())


def test_the_small_room_counts_contiguously_from_1_along_every_ordering_key() -> None:
    sequences: dict[str, list[int]] = {}
    for event in SMALL_ROOM:
        sequences.setdefault(event.ordering_key, []).append(event.sequence)
    assert all(found == list(range(1, len(found) + 1)) for found in sequences.values())


def test_the_small_room_is_the_same_at_every_call() -> None:
    assert rooms.small_room() == SMALL_ROOM
    assert len({event.event_id for event in SMALL_ROOM}) == len(SMALL_ROOM)


def test_typed_edits_add_up_to_the_text_with_its_checksums() -> None:
    text = ""
    for event in rooms.typed("a🎉b"):
        assert isinstance(event, DocumentEdited)
        text = apply_patches(text, event.payload.patches)
        assert event.payload.checksum == checksum_of(text)
    assert text == "a🎉b"


def test_a_record_holds_the_events_in_order() -> None:
    header, lines = unframe(rooms.record(SMALL_ROOM))
    assert header is not None
    assert (header.room_id, header.count) == (rooms.ROOM, len(SMALL_ROOM))
    assert lines == [rooms.encode(event) for event in SMALL_ROOM]
