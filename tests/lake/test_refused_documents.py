"""Documents that OpenSearch refused: which of them are missing, and how a part of one joins what is there."""

from collections.abc import Iterator
from typing import Any

import pytest

from codewave.lake.refused_documents import RefusedDocument, absent, merge
from codewave.lake.search_counts import IndexCount, take_back_gaps
from codewave.local.settings import load_settings

QUEUED = {"execution_id": "e", "status": "queued", "queued_at": "1"}
STARTED = {"execution_id": "e", "status": "started", "started_at": "2"}
FINISHED = {"execution_id": "e", "status": "failed", "finished_at": "3"}


class Node:
    """An OpenSearch client that holds these documents."""

    def __init__(self, *present: tuple[str, str]) -> None:
        self._present = set(present)

    def mget(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"docs": [one | {"found": (one["_index"], one["_id"]) in self._present} for one in body["docs"]]}


def refused(*identities: str) -> Iterator[RefusedDocument]:
    for number, identity in enumerate(identities):
        yield RefusedDocument(
            place=("refused-2026.11.22", str(number)),
            index="chat-2026.11.22",
            id=identity,
            error="mapper_parsing_exception",
            reason="failed to parse",
            refused_at="2026-11-22T21:00:00Z",
            document={},
        )


def test_what_is_in_its_index_all_the_same_is_not_missing() -> None:
    client: Any = Node(("chat-2026.11.22", "b"))
    assert [one.id for one in absent(client, refused("a", "b", "c"))] == ["a", "c"]


def test_two_refused_parts_of_one_document_are_one_missing() -> None:
    client: Any = Node()
    assert [one.id for one in absent(client, refused("a", *["b"] * 1_200, "a"))] == ["a", "b"]


def test_parts_of_an_execution_join() -> None:
    assert merge(merge({}, QUEUED), STARTED) == QUEUED | STARTED


def test_an_older_part_that_was_refused_does_not_undo_a_newer_one() -> None:
    assert merge(FINISHED, STARTED)["status"] == "failed"
    assert merge(STARTED, FINISHED)["status"] == "failed"
    assert merge(STARTED, QUEUED)["status"] == "started"


def test_an_older_state_of_a_room_that_was_refused_does_not_replace_a_newer_one() -> None:
    older, newer = {"present_count": 1, "updated_at": "1"}, {"present_count": 2, "updated_at": "2"}
    assert merge(newer, older) == merge(older, newer) == newer


def test_an_index_closes_where_each_document_is_found_or_refused() -> None:
    assert IndexCount("chat", 3, 2, 1).closes
    assert not IndexCount("chat", 3, 2, 0).closes
    assert not IndexCount("chat", 3, 3, 1).closes


def test_a_gap_that_the_lake_does_not_have_was_taken_back_and_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    hits = [{"_id": "document:a#3"}, {"_id": "document:a#9"}]
    monkeypatch.setattr("opensearchpy.helpers.scan", lambda *_, **__: iter(hits))
    monkeypatch.setattr("codewave.local.opensearch.search_client", lambda *_: None)
    count = IndexCount("gaps", expected=1, found=2)
    take_back_gaps(load_settings(environment={}), "rooms", count, {"document:a#3"})
    assert (count.found, count.taken_back, count.closes) == (1, 1, True)
