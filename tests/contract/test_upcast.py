"""Old versions of an event type become events of its latest version."""

import example_rooms as rooms
import msgspec
import pytest

from codewave.contract.events import EVENT_TYPES, LATEST_VERSIONS, Event
from codewave.contract.fields import Count, Text
from codewave.contract.upcast import REGISTRY, Registry, decoder_for


class NoteWritten1(Event, tag="note.written"):
    text: Text


class NoteWritten2(Event, tag="note.written"):
    text: Text
    characters: Count


class NoteWritten3(Event, tag="note.written"):
    body: Text
    characters: Count


def count_characters(old: NoteWritten1) -> NoteWritten2:
    return msgspec.convert(
        msgspec.structs.asdict(old) | {"characters": len(old.text), "type": "note.written"}, NoteWritten2
    )


def rename_text(old: NoteWritten2) -> NoteWritten3:
    return msgspec.convert(msgspec.structs.asdict(old) | {"body": old.text, "type": "note.written"}, NoteWritten3)


NOTES = Registry(
    structs={("note.written", 1): NoteWritten1, ("note.written", 2): NoteWritten2, ("note.written", 3): NoteWritten3},
    upcasters={("note.written", 1): count_characters, ("note.written", 2): rename_text},
)


def note(version: int, **fields: object) -> bytes:
    envelope = msgspec.to_builtins(rooms.chat(1))
    del envelope["payload"]
    return msgspec.json.encode(envelope | {"type": "note.written", "version": version} | fields)


def test_the_oldest_version_becomes_the_latest_step_by_step() -> None:
    decode = NOTES.decoder_for("note.written", 1)
    assert decode is not None
    event = decode(note(1, text="héllo"))
    assert isinstance(event, NoteWritten3)
    assert (event.body, event.characters) == ("héllo", 5)


def test_an_upcast_event_keeps_its_envelope_with_the_version_that_was_written() -> None:
    decode = NOTES.decoder_for("note.written", 1)
    assert decode is not None
    event = decode(note(1, text="x"))
    assert (event.version, event.event_id, event.sequence) == (1, rooms.chat(1).event_id, 1)


def test_the_latest_version_is_read_as_it_is() -> None:
    decode = NOTES.decoder_for("note.written", 3)
    assert decode is not None
    assert isinstance(decode(note(3, body="x", characters=1)), NoteWritten3)


def test_an_old_version_is_validated_by_its_own_struct() -> None:
    decode = NOTES.decoder_for("note.written", 2)
    assert decode is not None
    with pytest.raises(msgspec.ValidationError, match="characters"):
        decode(note(2, text="x"))


@pytest.mark.parametrize(("kind", "version"), [("note.written", 4), ("note.written", 0), ("note.burnt", 1)])
def test_an_unknown_type_or_version_has_no_decoder(kind: str, version: int) -> None:
    assert NOTES.decoder_for(kind, version) is None


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_type_of_the_contract_can_be_read_from_version_1_to_its_latest(kind: str) -> None:
    for version in range(1, LATEST_VERSIONS[kind] + 1):
        assert decoder_for(kind, version) is not None
    assert decoder_for(kind, LATEST_VERSIONS[kind] + 1) is None


def test_every_old_version_has_an_upcaster_to_the_next() -> None:
    old = {of for of in REGISTRY.structs if of[1] < LATEST_VERSIONS[of[0]]}
    assert set(REGISTRY.upcasters) == old
