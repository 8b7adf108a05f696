"""The truth: equal to a recount of what a producer got, and written as the interface says."""

import hashlib
import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from recording_sink import HandClock, RecordingSink, options, small_trace, write_trace

from codewave.contract.events import AnyEvent, DocumentEdited, ExecutionFinished, ExecutionOutput, ExecutionStarted
from codewave.errors import CodewaveError
from codewave.workload import truth as truth_module
from codewave.workload.player import Player
from codewave.workload.traces import read_trace
from codewave.workload.truth import Truth, read_truth, write_truth
from udfs.reconstruct import Operation, reconstruct

CHAOS = "duplicate=0.05 reorder=0.05 malformed=0.02 oversized=0.01 corrupt=0.01"


class Played:
    def __init__(self, folder: Path, chaos: str, unfinished: float = 0) -> None:
        sink = RecordingSink()
        trace = read_trace(write_trace(folder / "small.json.gz", small_trace()))
        self.truth = Player(
            [trace], options(chaos, rooms=3, seconds=100, unfinished=unfinished), sink, HandClock()
        ).play()
        self.events: list[AnyEvent] = list({event.event_id: event for event in sink.valid_events()}.values())


@pytest.fixture(scope="module", params=[CHAOS, CHAOS + " drop=0.01"])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return Played(tmp_path_factory.mktemp("truth"), request.param)


@pytest.fixture
def truth(tmp_path: Path) -> Truth:
    return Played(tmp_path, "").truth


def test_events_are_those_sent_by_type(played: Played) -> None:
    assert played.truth.events == len(played.events)
    assert played.truth.by_type == Counter(str(event.__struct_config__.tag) for event in played.events)


def test_ordering_keys_have_the_count_and_last_sequence_sent(played: Played) -> None:
    keys: dict[str, list[int]] = defaultdict(list)
    for event in played.events:
        keys[event.ordering_key].append(event.sequence)
    assert played.truth.keys == {key: (len(numbers), max(numbers)) for key, numbers in keys.items()}
    assert played.truth.ordering_keys == len(keys)


def test_executions_are_counted_by_outcome_and_summed(played: Played) -> None:
    finished = [event.payload for event in played.events if isinstance(event, ExecutionFinished)]
    assert played.truth.finished == Counter(payload.outcome for payload in finished)
    assert played.truth.cpu_ms == sum(payload.cpu_ms for payload in finished)
    assert played.truth.wall_ms == sum(payload.wall_ms for payload in finished)
    assert played.truth.executions == len({e.ordering_key for e in played.events if e.ordering_key.startswith("exec")})


@pytest.mark.parametrize("chaos", ["", CHAOS + " drop=0.05"])
def test_executions_that_ran_and_never_ended_are_unfinished(tmp_path: Path, chaos: str) -> None:
    played = Played(tmp_path, chaos, unfinished=0.4)
    ran = {e.ordering_key for e in played.events if isinstance(e, ExecutionStarted | ExecutionOutput)}
    ended = {e.ordering_key for e in played.events if isinstance(e, ExecutionFinished)}
    assert played.truth.unfinished == len(ran - ended) > 0


def test_without_being_asked_for_none_is_unfinished(truth: Truth) -> None:
    assert truth.unfinished == 0


def test_every_verifiable_document_is_reconstructed_to_its_sha256(played: Played) -> None:
    edits: dict[str, list[Operation]] = defaultdict(list)
    others: dict[str, list[int]] = defaultdict(list)
    for event in played.events:
        if isinstance(event, DocumentEdited):
            edits[event.payload.document_id].append(Operation(event.sequence, event.payload.patches))
        elif event.ordering_key.startswith("document:"):
            others[event.payload.document_id].append(event.sequence)
    lossy = set(played.truth.documents_unverifiable)
    verifiable = [document for document in played.truth.documents if document.document_id not in lossy]
    assert len(verifiable) >= 2
    for document in verifiable:
        result = reconstruct(edits[document.document_id], other_sequences=others[document.document_id])
        assert (result.problems, result.sha256, result.operations) == ([], document.sha256, document.operations)


def test_documents_are_unverifiable_only_where_events_were_dropped(played: Played) -> None:
    assert bool(played.truth.documents_unverifiable) == bool(played.truth.injected.drop)


def test_a_trace_has_its_document_operations_and_the_sha256_of_its_final_text(truth: Truth) -> None:
    (trace,) = truth.traces
    assert Path(trace.file).name == "small.json.gz"
    assert trace.operations == 2
    assert trace.sha256 == hashlib.sha256("hé🙂!".encode()).hexdigest()
    assert trace.document_id in {document.document_id for document in truth.documents}


def test_the_file_has_the_fields_of_the_interface(truth: Truth, tmp_path: Path) -> None:
    write_truth(truth, file := tmp_path / "deep" / "truth.json")
    content = json.loads(file.read_bytes())
    assert list(content)[:6] == ["events", "by_type", "ordering_keys", "executions", "traces", "injected"]
    assert list(content["traces"][0])[:4] == ["file", "document_id", "operations", "sha256"]
    assert list(content["injected"]) == ["duplicate", "reorder", "drop", "malformed", "oversized", "corrupt"]


def test_what_was_written_is_read_back(truth: Truth, tmp_path: Path) -> None:
    write_truth(truth, file := tmp_path / "truth.json")
    assert read_truth(file) == truth


def test_writing_again_replaces_the_file_and_leaves_nothing_beside_it(truth: Truth, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (file := tmp_path / "out" / "truth.json").write_text("old")
    write_truth(truth, file)
    assert read_truth(file) == truth
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_cannot_be_written_is_one_line(truth: Truth, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CodewaveError, match="cannot be written"):
        write_truth(truth, tmp_path / "file" / "truth.json")


@pytest.mark.parametrize("content", ["", "[]", '{"events": "many"}'])
def test_a_file_that_is_no_truth_is_one_line(tmp_path: Path, content: str) -> None:
    (file := tmp_path / "truth.json").write_text(content)
    with pytest.raises(CodewaveError, match="not what play --truth writes"):
        read_truth(file)


def test_the_file_stays_bounded_with_many_ordering_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truth_module, "MAX_KEYS_WRITTEN", 8)
    truth = Played(tmp_path, "").truth
    assert len(truth.keys) == 8
    assert truth.keys_left_out == truth.ordering_keys - 8
    assert any(key.startswith("document:") for key in truth.keys)
