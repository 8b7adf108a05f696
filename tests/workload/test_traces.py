"""Reading editing traces, and turning them into events."""

import gzip
from pathlib import Path

import msgspec
import pytest
from recording_sink import REAL_TRACES, options, real_trace, small_trace, write_trace

from codewave.contract.limits import DEFAULT_LIMITS
from codewave.contract.text import checksum_of
from codewave.errors import WrongUseError
from codewave.workload import traces as traces_module
from codewave.workload.traces import OPERATIONS_PER_CHECKSUM, TraceSource, read_trace, trace_sources
from udfs.reconstruct import Operation, reconstruct


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "small.json.gz"


def source_of(path: Path, **changes: object) -> TraceSource:
    return trace_sources([read_trace(path)], options(**changes))[0]


@pytest.mark.parametrize("name", REAL_TRACES)
def test_a_real_trace_played_and_reconstructed_gives_its_final_text_exactly(name: str) -> None:
    source = source_of(real_trace(name))
    events = [step.event for step in source.steps()]
    operations = [Operation(event.sequence, event.payload.patches, event.payload.checksum) for event in events]
    result = reconstruct(operations)
    assert result.problems == []
    assert result.text == source.trace.end
    assert result.operations == len(events) >= len(source.trace.transactions)
    assert result.checksums_verified >= len(source.trace.transactions) // OPERATIONS_PER_CHECKSUM


@pytest.mark.parametrize("name", REAL_TRACES)
def test_no_event_of_a_real_trace_is_above_the_size_limit(name: str) -> None:
    sizes = [len(msgspec.json.encode(step.event)) for step in source_of(real_trace(name)).steps()]
    assert max(sizes) <= DEFAULT_LIMITS.event_bytes


def test_sequences_are_contiguous_over_a_paste_that_is_split(file: Path) -> None:
    paste = "ß" * 20_000
    edits = [[[0, 0, paste]], [[20_000, 0, "x"]]]
    write_trace(file, small_trace(endContent=paste + "x", txns=[{"patches": patches} for patches in edits]))
    events = [step.event for step in source_of(file).steps()]
    assert len(events) > 10
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [event.payload.base_sequence for event in events] == list(range(len(events)))


def test_each_step_carries_the_text_after_it(file: Path) -> None:
    write_trace(file, small_trace())
    assert [step.text for step in source_of(file).steps()] == ["hé", "hé🙂!"]


def test_the_last_edit_carries_the_checksum_of_the_final_text(file: Path) -> None:
    write_trace(file, small_trace())
    assert [step.event.payload.checksum for step in source_of(file).steps()] == [None, checksum_of("hé🙂!")]


def test_a_text_that_the_trace_starts_with_is_the_first_edit(file: Path) -> None:
    write_trace(file, small_trace(startContent="ab", endContent="xb", txns=[{"patches": [[0, 1, "x"]]}]))
    assert [step.event.payload.patches for step in source_of(file).steps()] == [[(0, 0, "ab")], [(0, 1, "x")]]


def test_a_trace_without_transactions_is_its_start_alone(file: Path) -> None:
    write_trace(file, small_trace(startContent="ab", endContent="ab", txns=[]))
    (step,) = source_of(file).steps()
    assert step.event.payload.checksum == checksum_of("ab")


def test_a_transaction_without_patches_is_no_event(file: Path) -> None:
    write_trace(file, small_trace(txns=[*small_trace()["txns"], {"patches": []}]))
    steps = list(source_of(file).steps())
    assert len(steps) == 2
    assert steps[-1].event.payload.checksum == checksum_of("hé🙂!")


def test_times_never_go_back_and_fill_the_virtual_length(file: Path) -> None:
    times = ["2026-01-01T00:00:09Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:03Z", "2026-05-01T00:00:00Z"]
    write_trace(file, small_trace(endContent="abcd", txns=[
        {"time": time, "patches": [[index, 0, "abcd"[index]]]} for index, time in enumerate(times)
    ]))  # fmt: skip
    at_ms = [step.at_ms for step in source_of(file, seconds=7).steps()]
    assert at_ms == [0, 0, 2_000, 7_000]  # the pause of four months counts as five seconds


def test_the_same_file_twice_becomes_two_documents(file: Path) -> None:
    write_trace(file, small_trace())
    trace = read_trace(file)
    first, second = trace_sources([trace, trace], options())
    assert first.document_id != second.document_id


def test_names_that_differ_after_the_first_dot_become_two_documents(tmp_path: Path) -> None:
    paths = [write_trace(tmp_path / name, small_trace()) for name in ("a.x.json.gz", "a.y.json.gz")]
    first, second = trace_sources([read_trace(path) for path in paths], options())
    assert first.document_id != second.document_id


def test_a_document_id_depends_on_the_seed_and_the_salt_alone(file: Path) -> None:
    write_trace(file, small_trace())
    ids = [source_of(file, **changes).document_id for changes in ({}, {"start_ms": 5}, {"seed": 8}, {"salt": "again"})]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_any_file_name_gives_ids_of_the_contract(tmp_path: Path) -> None:
    write_trace(path := tmp_path / ("ünï code " + "n" * 90 + ".json.gz"), small_trace())
    event = next(source_of(path).steps()).event
    for name in (event.room_id, event.session_id, event.user_id, event.payload.document_id):
        assert len(name) <= 64
        assert name.replace("-", "a").replace("_", "a").isalnum()
        assert name.isascii()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"endContent": ""}, "missing required field `txns`"),
        ({"txns": []}, "missing required field `endContent`"),
        ([], "Expected `object`"),
        ({"kind": "concurrent", "numAgents": 3, "endContent": "", "txns": []}, "a concurrent trace"),
        (small_trace(endContent="other"), "do not lead to its endContent"),
        (small_trace(txns=[{"patches": [[0, 0, "a"]]}, {"patches": [[0, 9, ""]]}]), "transaction 1: patch 0: "),
        (small_trace(txns=[{"patches": [[-1, 0, "a"]]}]), r"txns\[0\].patches\[0\]"),
        (small_trace(txns=[{"patches": [[0, 0, "hé🙂!"]]}, {"patches": [["0", 0, ""]]}]), r"txns\[1\].patches\[0\]"),
        (small_trace(txns=[{"patches": [[0, 0, "hé🙂!"]], "time": "soon"}]), "transaction 0: time 'soon'"),
    ],
)  # fmt: skip
def test_a_malformed_trace_is_one_line_that_says_where(file: Path, content: object, complaint: str) -> None:
    write_trace(file, content)
    with pytest.raises(WrongUseError, match=complaint) as caught:
        read_trace(file)
    assert str(caught.value).startswith(f"trace {file}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"{}", "not a whole gzip file"),
        (b"", "not JSON"),
        (gzip.compress(b"{}" * 1000)[:-9], "not a whole gzip file"),
        (gzip.compress(b"{}")[:12] + b"\xff\xff\xff\xff" + gzip.compress(b"{}")[16:], "not a whole gzip file"),
        (gzip.compress(b"no json"), "not JSON"),
        (gzip.compress(b'{"endContent": "\xff", "txns": []}'), "not JSON"),
        (gzip.compress(b'{"x":' + b"[" * 100_000), "not JSON"),
    ],
)
def test_what_is_not_gzip_or_not_json_is_one_line(file: Path, data: bytes, complaint: str) -> None:
    file.write_bytes(data)
    with pytest.raises(WrongUseError, match=complaint) as caught:
        read_trace(file)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(file: Path) -> None:
    with pytest.raises(WrongUseError, match="cannot be read"):
        read_trace(file)


def test_a_file_above_the_size_limit_is_not_opened(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_trace(file, small_trace())
    monkeypatch.setattr(traces_module, "MAX_FILE_BYTES", 10)
    with pytest.raises(WrongUseError, match="larger than"):
        read_trace(file)


def test_a_file_above_the_decompressed_limit_is_not_parsed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_trace(file, small_trace())
    monkeypatch.setattr(traces_module, "MAX_DECOMPRESSED_BYTES", 10)
    with pytest.raises(WrongUseError, match="decompressed"):
        read_trace(file)
