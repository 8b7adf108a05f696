"""What can be searched for, and how a mistake is told; that words are found is tested with a real node."""

import pytest
from opensearchpy import OpenSearch

from codewave.errors import CodewaveError, WrongUseError
from codewave.lake.search import Asked, search

NOBODY = OpenSearch(hosts=[{"host": "127.0.0.1", "port": 9}], max_retries=0, timeout=1)


@pytest.mark.parametrize("words", ["", "  ", "x" * 2_000])
def test_words_are_needed_and_bounded(words: str) -> None:
    with pytest.raises(WrongUseError, match="give words"):
        search(NOBODY, "rooms", Asked(words=words))


def test_an_unknown_kind_is_answered_with_the_known_ones() -> None:
    with pytest.raises(WrongUseError, match="no kind 'mail'; kinds: activity, chat"):
        search(NOBODY, "rooms", Asked(words="x", kind="mail"))


def test_a_node_that_does_not_answer_is_told() -> None:
    with pytest.raises(CodewaveError, match="start the stack"):
        search(NOBODY, "rooms", Asked(words="x"))
