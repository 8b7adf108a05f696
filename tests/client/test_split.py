"""Long edits and outputs split into pieces that together do what the whole did."""

import re
from copy import deepcopy

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewave.client import EventTooLargeError, new_event_id, split_edit, split_output
from codewave.contract.events import DocumentEdited, DocumentEditedPayload, ExecutionOutput, ExecutionOutputPayload
from codewave.contract.fields import EVENT_ID_PATTERN, MAX_MILLIS
from codewave.contract.limits import DEFAULT_LIMITS

LIMIT = DEFAULT_LIMITS.event_bytes
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=600) | st.text('"\\\n\x01é漢😀\u2028', max_size=600)


def edit(patches, *, key="document:main", **payload) -> DocumentEdited:
    return DocumentEdited(
        event_id=new_event_id(1_700_000_000_000),
        version=1,
        room_id="blue",
        session_id="tab-1",
        user_id="ada",
        ordering_key=key,
        sequence=42,
        occurred_at=1_700_000_000_000,
        received_at=0,
        payload=DocumentEditedPayload("main", 41, patches, **payload),
    )


def output(text: str) -> ExecutionOutput:
    return ExecutionOutput(
        event_id=new_event_id(1_700_000_000_000),
        version=1,
        room_id="blue",
        session_id="worker-1",
        user_id="ada",
        ordering_key="execution:run-1",
        sequence=9,
        occurred_at=1_700_000_000_000,
        received_at=0,
        payload=ExecutionOutputPayload("run-1", "stdout", 7, text),
    )


def applied(text: str, *edits: DocumentEdited) -> str:
    for event in edits:
        for position, deleted, inserted in event.payload.patches:
            text = text[:position] + inserted + text[position + deleted :]
    return text


def largest(events) -> int:
    """Bytes of the largest event, with the longest time of receipt there is."""
    return max(len(msgspec.json.encode(msgspec.structs.replace(event, received_at=MAX_MILLIS))) for event in events)


@given(
    before=TEXTS,
    patches=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 700), TEXTS), min_size=1, max_size=12),
    limit=st.integers(500, 1_500),
    checksum=st.none() | st.just(4_294_967_295),
)
def test_pieces_applied_one_after_another_give_the_text_of_the_whole(before, patches, limit, checksum):
    whole = edit(patches, checksum=checksum)
    untouched = deepcopy(whole)
    pieces = split_edit(whole, limit)
    assert applied(before, *pieces) == applied(before, whole)
    assert largest(pieces) <= limit
    assert [piece.sequence for piece in pieces] == list(range(42, 42 + len(pieces)))
    assert [piece.payload.base_sequence for piece in pieces] == list(range(41, 41 + len(pieces)))
    assert [piece.payload.checksum for piece in pieces] == [None] * (len(pieces) - 1) + [checksum]
    assert all(piece.payload.patches for piece in pieces)
    assert whole == untouched


@given(text=TEXTS.map(lambda text: text * 3), limit=st.integers(400, 1_500))
def test_chunks_in_order_are_the_whole_output(text, limit):
    pieces = split_output(output(text), limit)
    assert "".join(piece.payload.text for piece in pieces) == text
    assert largest(pieces) <= limit
    assert [piece.sequence for piece in pieces] == list(range(9, 9 + len(pieces)))
    assert [piece.payload.chunk for piece in pieces] == list(range(7, 7 + len(pieces)))


@given(text=st.text('"\\\n\x01é漢😀', min_size=3_000, max_size=3_000))
def test_pieces_fill_the_limit(text):
    pieces = split_edit(edit([(0, 0, text)]), LIMIT)
    assert all(largest([piece]) > LIMIT - 8 for piece in pieces[:-1])  # one more \u0001 takes 6 bytes


def test_an_edit_that_fits_stays_the_same_event():
    event = edit([(0, 0, "x")])
    assert split_edit(event, LIMIT) == [event]
    assert split_edit(event, LIMIT)[0] is event


def test_a_huge_deletion_is_small_and_goes_with_the_first_piece():
    assert len(split_edit(edit([(0, 10**9, "")]), LIMIT)) == 1
    pieces = split_edit(edit([(5, 10**9, "x" * 10_000)]), LIMIT)
    assert [patch[1] for piece in pieces for patch in piece.payload.patches] == [10**9, 0, 0]


def test_an_edit_of_many_patches_splits_between_them():
    patches = [(number, 1, "y") for number in range(2_000)]
    pieces = split_edit(edit(patches), LIMIT)
    assert len(pieces) > 1
    assert [patch for piece in pieces for patch in piece.payload.patches] == patches


def test_a_megabyte_paste_splits_in_seconds_to_pieces_in_place():
    text = "".join(f"line {number} é\n" for number in range(70_000))
    pieces = split_edit(edit([(3, 2, text)]), LIMIT)
    assert applied("abcdefg", *pieces) == "abc" + text + "fg"
    assert largest(pieces) <= LIMIT


def test_the_same_event_splits_to_the_same_ids_each_a_uuid7_of_its_time():
    event = edit([(0, 0, "x" * 20_000)])
    ids = [piece.event_id for piece in split_edit(event, LIMIT)]
    assert ids == [piece.event_id for piece in split_edit(event, LIMIT)]
    assert ids[0] == event.event_id
    assert len(set(ids)) == len(ids) > 1
    assert all(re.fullmatch(EVENT_ID_PATTERN, each) and each[:13] == event.event_id[:13] for each in ids)


def test_pieces_of_a_concurrent_edit_are_made_upon_one_another():
    event = edit([(0, 0, "x" * 9_000)], key="document:main/peer-1", parents=[("peer-2", 5)])
    parents = [piece.payload.parents for piece in split_edit(event, LIMIT)]
    assert parents == [[("peer-2", 5)], [("peer-1", 42)], [("peer-1", 43)]]


@pytest.mark.parametrize("split", [lambda: split_edit(edit([(0, 0, "ab")]), 100), lambda: split_output(output("a"), 9)])
def test_a_limit_that_holds_no_character_is_an_error(split):
    with pytest.raises(EventTooLargeError, match="cannot be split"):
        split()


def test_an_edit_too_long_for_its_parents_is_an_error_and_not_an_endless_loop():
    event = edit([(0, 0, "x")], parents=[("peer", number + 1) for number in range(1_000)])
    with pytest.raises(EventTooLargeError):
        split_edit(event, LIMIT)
