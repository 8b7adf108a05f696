"""Reconstructing a document's text from its edits."""

import pytest

from codewave.contract.text import checksum_of
from udfs.reconstruct import MAX_PROBLEMS, Operation, reconstruct

HELLO = Operation(1, [(0, 0, "hello")])
SMILE = Operation(2, [(5, 0, " 🙂"), (7, 0, "!")])
YELLOW = Operation(3, [(0, 1, "y")], checksum_of("yello 🙂!"))


def test_edits_applied_in_order_give_the_text() -> None:
    result = reconstruct([HELLO, SMILE, YELLOW])
    assert (result.text, result.last_sequence, result.operations, result.checksums_verified) == ("yello 🙂!", 3, 3, 1)
    assert result.sound


def test_edits_may_come_in_any_order() -> None:
    assert reconstruct([YELLOW, HELLO, SMILE]) == reconstruct([HELLO, SMILE, YELLOW])


@pytest.mark.parametrize(("at", "text"), [(0, ""), (1, "hello"), (2, "hello 🙂!"), (3, "yello 🙂!")])
def test_the_text_is_given_at_any_sequence(at: int, text: str) -> None:
    result = reconstruct([HELLO, SMILE, YELLOW], at=at)
    assert (result.text, result.last_sequence, result.problems) == (text, at, [])


def test_no_edits_are_an_empty_text() -> None:
    assert reconstruct([]).text == ""
    assert reconstruct([]).sound


def test_a_missing_sequence_is_told_and_later_edits_are_applied() -> None:
    result = reconstruct([HELLO, Operation(3, [(0, 1, "y")])])
    assert (result.text, result.problems) == ("yello", ["sequence 2: missing"])


def test_missing_sequences_in_a_row_are_one_problem() -> None:
    assert reconstruct([Operation(4, [(0, 0, "x")])]).problems == ["sequences 1 to 3: missing"]


def test_sequences_of_other_events_are_not_missed() -> None:
    result = reconstruct([Operation(2, [(0, 0, "a")]), Operation(5, [(1, 0, "b")])], other_sequences=[1, 3, 4, 6])
    assert (result.text, result.problems) == ("ab", [])


def test_a_sequence_beyond_the_end_is_missing() -> None:
    assert reconstruct([HELLO], at=3).problems == ["sequences 2 to 3: missing"]
    assert reconstruct([HELLO], at=3, other_sequences=[2, 3]).problems == []


def test_what_is_missing_after_the_sequence_asked_for_does_not_matter() -> None:
    assert reconstruct([HELLO, YELLOW], at=1).problems == []


def test_a_patch_out_of_range_ends_it_with_the_text_before() -> None:
    result = reconstruct([HELLO, Operation(2, [(5, 0, "!"), (99, 0, "?")]), Operation(3, [(0, 0, "x")])])
    assert (result.text, result.last_sequence) == ("hello", 1)
    assert result.problems == [
        "sequence 2: patch 1: position 99, 0 deleted, reaches beyond the text's 6 characters; "
        "edits from here on were not applied"
    ]


def test_deleting_beyond_the_end_is_out_of_range() -> None:
    assert "sequence 2: patch 0" in reconstruct([HELLO, Operation(2, [(3, 3, "")])]).problems[0]


def test_a_checksum_that_differs_is_told_with_its_sequence() -> None:
    result = reconstruct([HELLO, Operation(2, [(0, 1, "j")], checksum=5)])
    assert result.text == "jello"
    assert result.problems == [f"sequence 2: checksum {checksum_of('jello')}, the writer's is 5"]
    assert result.checksums_verified == 0


def test_an_edit_stored_twice_is_told_and_applied_once() -> None:
    result = reconstruct([HELLO, HELLO])
    assert (result.text, result.operations) == ("hello", 1)
    assert result.problems == ["sequence 1: stored twice; the second one was not applied"]


def test_problems_are_bounded_and_the_rest_counted() -> None:
    operations = [Operation(sequence, [(0, 0, "x")], checksum=0) for sequence in range(1, MAX_PROBLEMS + 51)]
    result = reconstruct(operations)
    assert (len(result.problems), result.problems_left_out) == (MAX_PROBLEMS, 50)


def test_positions_count_unicode_characters() -> None:
    result = reconstruct([Operation(1, [(0, 0, "日本🙂é")]), Operation(2, [(2, 1, "語")])])
    assert result.text == "日本語é"


def test_two_reconstructions_share_nothing() -> None:
    assert not reconstruct([YELLOW]).sound
    assert reconstruct([HELLO]).sound
