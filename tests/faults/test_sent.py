"""Several truths become one about all that was sent."""

from codewave.faults.sent import sent_together
from codewave.workload.chaos import Injected
from codewave.workload.truth import DocumentTruth, Truth, TruthCounter


def truth(name: str, events: int, *, interrupted: bool = False) -> Truth:
    empty = TruthCounter().result([], Injected(duplicate=1), {"not_json": 2}, seed=5, start_ms=6, interrupted=False)
    values = {field: getattr(empty, field) for field in empty.__struct_fields__}
    changed = {
        "events": events,
        "by_type": {"chat.posted": events, name: 1},
        "documents": [DocumentTruth(name, "room", 1, 1, "", 0)],
        "keys": {f"session:{name}": (events, events)},
        "interrupted": interrupted,
    }
    return Truth(**(values | changed))


def test_counts_add_up_and_keys_and_documents_are_put_side_by_side():
    both = sent_together([truth("a", 3), truth("b", 4, interrupted=True)])
    assert both.events == 7
    assert both.by_type == {"chat.posted": 7, "a": 1, "b": 1}
    assert both.quarantined == {"not_json": 4}
    assert both.injected.duplicate == 2
    assert both.keys == {"session:a": (3, 3), "session:b": (4, 4)}
    assert [document.document_id for document in both.documents] == ["a", "b"]
    assert both.interrupted


def test_one_truth_stays_as_it_is():
    alone = truth("a", 3)
    assert sent_together([alone]) == alone
