"""The catalog's proxy strikes one commit, at a known place among the others."""

import threading
from collections.abc import Callable

import pytest

from codewave.faults.catalog import LateCommit, StruckCommit, committed_table
from codewave.faults.proxy import Answer, HangupError, Request

DEADLINE_S = 5.0
DONE = Answer(200, b"done")


def commit(table: str) -> Request:
    return Request("POST", f"/v1/namespaces/rooms/tables/{table}", {}, b"")


class Catalog:
    """Carries out what it is asked."""

    def __init__(self) -> None:
        self.carried_out: list[str] = []

    def ask_for(self, table: str) -> Callable[..., Answer]:
        def ask(_changed: Request | None = None) -> Answer:
            self.carried_out.append(table)
            return DONE

        return ask


def send(rule: Callable[..., Answer], catalog: Catalog, table: str) -> "Answer | None":
    """A commit through the rule: its answer, or nothing."""
    try:
        return rule(commit(table), catalog.ask_for(table))
    except HangupError:
        return None


def in_background(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("method", "path", "table"),
    [
        ("POST", "/v1/namespaces/rooms/tables/chat_messages", "rooms.chat_messages"),
        ("POST", "/v1/lake/namespaces/rooms/tables/chat_messages", "rooms.chat_messages"),
        ("GET", "/v1/namespaces/rooms/tables/chat_messages", None),
        ("POST", "/v1/namespaces/rooms/tables/chat_messages/metrics", None),
        ("POST", "/v1/namespaces/rooms/tables", None),
    ],
)
def test_only_a_post_to_a_table_is_a_commit(method: str, path: str, table: str | None) -> None:
    assert committed_table(Request(method, path, {}, b"")) == table


def test_the_struck_commit_is_carried_out_and_not_answered_and_the_others_are_answered() -> None:
    catalog, rule = Catalog(), StruckCommit(passes=1)
    answers = [send(rule, catalog, table) for table in ("a", "b", "c")]
    assert (answers, catalog.carried_out, rule.wait()) == ([DONE, None, DONE], ["a", "b", "c"], "rooms.b")


def test_the_struck_commit_may_be_answered_wrongly() -> None:
    busy = Answer(503, b"")
    assert send(StruckCommit(0, busy), Catalog(), "a") == busy


def test_after_the_last_commit_nothing_is_carried_out_any_more() -> None:
    catalog, rule = Catalog(), StruckCommit(passes=1, last=True)
    assert send(rule, catalog, "a") == DONE
    waiting = [in_background(lambda table=table: send(rule, catalog, table)) for table in ("b", "c", "d")]
    rule.wait()
    rule.release()
    for thread in waiting:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    assert len(catalog.carried_out) == 2


def test_a_late_commit_is_carried_out_just_before_the_next_to_its_table() -> None:
    catalog, rule = Catalog(), LateCommit(passes=0)
    late = in_background(lambda: send(rule, catalog, "a"))
    assert rule.wait_until_kept() == "rooms.a"
    assert send(rule, catalog, "b") == DONE
    assert catalog.carried_out == ["b"]
    assert send(rule, catalog, "a") == DONE
    rule.wait_until_late()
    late.join(DEADLINE_S)
    assert not late.is_alive()
    assert catalog.carried_out == ["b", "a", "a"]


def test_a_commit_kept_back_is_not_carried_out_once_released() -> None:
    catalog, rule = Catalog(), LateCommit(passes=0)
    late = in_background(lambda: send(rule, catalog, "a"))
    rule.wait_until_kept()
    rule.release()
    late.join(DEADLINE_S)
    assert send(rule, catalog, "a") == DONE
    assert catalog.carried_out == ["a"]
