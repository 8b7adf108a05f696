"""OpenSearch's proxy answers as a node does that is too busy, refuses a document, or does not answer at all."""

import json
from random import Random
from typing import Any

import pytest
from msgspec import structs

from codewave.faults.proxy import Answer, HangupError, Request
from codewave.faults.search import TOO_MANY, UNFIT, Item, items_failed, items_of, rejected_whole, unanswered

BODY = b"".join(
    b'{"update":{"_index":"chat-2026.11.22","_id":"%d"}}\n{"doc":{"n":%d},"upsert":{"n":%d}}\n' % (n, n, n)
    for n in range(4)
)
BULK = Request("POST", "/_bulk?timeout=1m", {}, BODY)


class Node:
    """Takes every document, and remembers what it was asked."""

    def __init__(self, status: int = 200) -> None:
        self.asked: list[Request] = []
        self._status = status

    def asking(self, request: Request) -> Any:
        def ask(changed: Request | None = None) -> Answer:
            self.asked.append(changed or request)
            items = [{one.action: {"_id": one.id, "status": 201}} for one in items_of(self.asked[-1].body)]
            return Answer(self._status, json.dumps({"took": 3, "errors": False, "items": items}).encode())

        return ask


def odd(item: Item) -> bool:
    return int(item.id) % 2 == 1


def test_the_documents_of_a_bulk_are_read_with_their_places() -> None:
    assert [(one.action, one.index, one.id) for one in items_of(BODY)] == [
        ("update", "chat-2026.11.22", str(n)) for n in range(4)
    ]
    assert b"".join(one.lines for one in items_of(BODY)) == BODY


@pytest.mark.parametrize(("status", "error"), [(429, TOO_MANY), (400, UNFIT)])
def test_chosen_documents_fail_in_their_places_and_the_others_are_sent(status: int, error: str) -> None:
    node = Node()
    answer = json.loads(items_failed(odd, status, error)(BULK, node.asking(BULK)).body)
    told = [item["update"] for item in answer["items"]]
    assert [(one["_id"], one["status"]) for one in told] == [("0", 201), ("1", status), ("2", 201), ("3", status)]
    assert [one["error"]["type"] for one in told if "error" in one] == [error, error]
    assert answer["errors"] is True
    assert [one.id for request in node.asked for one in items_of(request.body)] == ["0", "2"]


def test_where_every_document_fails_nothing_is_sent() -> None:
    node = Node()
    answer = json.loads(items_failed(lambda _: True, 429, TOO_MANY)(BULK, node.asking(BULK)).body)
    assert (len(answer["items"]), node.asked) == (4, [])


def test_a_node_that_fails_says_so_itself() -> None:
    assert items_failed(odd, 400, UNFIT)(BULK, Node(status=503).asking(BULK)).status == 503


def test_a_share_of_the_bulks_is_rejected_whole() -> None:
    rule, node = rejected_whole(0.5, Random(1)), Node()
    statuses = [rule(BULK, node.asking(BULK)).status for _ in range(100)]
    assert (set(statuses), len(node.asked)) == ({200, 429}, statuses.count(200))
    assert 30 < statuses.count(429) < 70


def test_a_bulk_that_is_not_answered_was_carried_out() -> None:
    node = Node()
    with pytest.raises(HangupError):
        unanswered(1.0, Random(1))(BULK, node.asking(BULK))
    assert node.asked == [BULK]


def test_only_bulks_are_meant() -> None:
    health = structs.replace(BULK, method="GET", path="/_cluster/health", body=b"")
    for rule in (items_failed(odd, 400, UNFIT), rejected_whole(1.0, Random(1)), unanswered(1.0, Random(1))):
        assert rule(health, Node().asking(health)).status == 200
