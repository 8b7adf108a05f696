"""Events are decoded and validated one by one; each refusal names its reason and exact path."""

import json
from pathlib import Path

import example_rooms as rooms
import msgspec
import pytest

import codewave.contract
from codewave.contract.limits import Limits
from codewave.contract.reasons import Reason
from udfs.decode import Decoder, is_id
from udfs.refusal import Refusal

EXAMPLES = Path(codewave.contract.__file__).parent / "examples"


def examples(kind: str) -> list[pytest.param]:
    files = sorted(EXAMPLES.glob(f"*/{kind}/*.json"))
    return [pytest.param(file, id=f"{file.parent.parent.name}-{file.stem}") for file in files]


def decode(line: bytes, room: str = rooms.ROOM, limits: Limits | None = None):
    return Decoder(room, limits or Limits()).decode(line)


def refusal(line: bytes, limits: Limits | None = None) -> Refusal:
    decoded = decode(line, limits=limits)
    assert isinstance(decoded, Refusal), decoded
    return decoded


def changed(event, **fields) -> bytes:
    value = json.loads(rooms.encode(event))
    payload = fields.pop("payload", {})
    value |= fields
    value["payload"] |= payload
    return json.dumps(value).encode()


@pytest.mark.parametrize("file", examples("pass"))
def test_passing_examples_of_the_contract_are_accepted(file: Path):
    event = json.loads(file.read_bytes())
    decoded = decode(json.dumps(event, ensure_ascii=False).encode(), event["room_id"], Limits(event_bytes=65536))
    assert not isinstance(decoded, Refusal), decoded
    assert msgspec.to_builtins(decoded[0])["event_id"] == event["event_id"]


@pytest.mark.parametrize("file", examples("fail"))
def test_failing_examples_of_the_contract_are_refused_with_their_reason_and_path(file: Path):
    example = json.loads(file.read_bytes())
    line = json.dumps(example["event"], ensure_ascii=False).encode()
    room = example["event"].get("room_id")
    decoded = decode(line, room if isinstance(room, str) else rooms.ROOM, Limits(event_bytes=65536))
    assert isinstance(decoded, Refusal)
    assert (str(decoded.reason), decoded.path) == (example["reason"], example["path"])


def test_the_path_names_the_element_of_a_list():
    line = changed(
        rooms.edit(1), payload={"patches": [[0, 0, "a"], [1, 0, "b"], [2, 0, "c"], ["3", 0, "d"], [4, 0, 5]]}
    )
    assert refusal(line).path == "$.payload.patches[3][0]"


def test_bytes_that_are_not_utf8_are_refused_as_such():
    line = rooms.encode(rooms.chat(1, "é")).replace("é".encode(), b"\xe9")
    assert refusal(line).reason is Reason.NOT_UTF8


@pytest.mark.parametrize("line", [b"", b"{", b"nonsense", b'{"a":NaN}', b'{"a":Infinity}', b'{"type":"chat.posted",}'])
def test_bytes_that_are_not_json_are_refused_as_such(line: bytes):
    assert refusal(line).reason is Reason.NOT_JSON


@pytest.mark.parametrize("line", [b"[]", b"7", b'"text"', b"null"])
def test_json_that_is_not_an_object_violates_the_schema(line: bytes):
    assert (refusal(line).reason, refusal(line).path) == (Reason.SCHEMA_VIOLATION, "$")


def test_an_unknown_type_is_refused_with_its_envelope():
    found = refusal(changed(rooms.chat(4), type="chat.deleted"))
    assert (found.reason, found.path) == (Reason.UNKNOWN_TYPE, "$.type")
    assert found.envelope is not None
    assert found.envelope.sequence == 4


@pytest.mark.parametrize("payload", [{}, {"text": 5}])
def test_a_newer_version_is_unknown_whether_or_not_it_fits_the_older_schema(payload: dict):
    found = refusal(changed(rooms.chat(1), version=2, payload=payload))
    assert (found.reason, found.path) == (Reason.UNKNOWN_VERSION, "$.version")


def test_an_event_above_the_limit_is_refused_with_its_envelope():
    found = refusal(rooms.encode(rooms.chat(9, "x" * 5000)))
    assert found.reason is Reason.TOO_LARGE
    assert found.envelope is not None
    assert found.envelope.sequence == 9


def test_the_limit_can_be_set_per_type():
    limits = Limits(event_bytes=512, event_bytes_by_type={"chat.posted": 2048})
    assert not isinstance(decode(rooms.encode(rooms.chat(1, "x" * 1000)), limits=limits), Refusal)
    assert refusal(rooms.encode(rooms.edit(1, "x" * 1000)), limits).reason is Reason.TOO_LARGE
    assert refusal(rooms.encode(rooms.chat(1, "x" * 3000)), limits).reason is Reason.TOO_LARGE


def test_deep_nesting_is_refused_even_in_fields_that_nobody_reads():
    deep = json.loads("[" * 33 + "]" * 33)
    assert refusal(changed(rooms.chat(1), extra=deep)).reason is Reason.SCHEMA_VIOLATION
    assert refusal(b"[" * 2000 + b"]" * 2000).reason is Reason.SCHEMA_VIOLATION
    allowed = json.loads("[" * 31 + "]" * 31)
    assert not isinstance(decode(changed(rooms.chat(1), extra=allowed)), Refusal)


def test_braces_in_text_are_not_nesting():
    assert not isinstance(decode(rooms.encode(rooms.edit(1, "{[" * 200))), Refusal)


def test_an_event_of_another_room_is_refused():
    found = refusal(rooms.encode(rooms.chat(1, room="room-8")))
    assert (found.reason, found.path) == (Reason.WRONG_ROOM, "$.room_id")


@pytest.mark.parametrize(
    "line",
    [
        changed(rooms.edit(1), ordering_key="document:other"),
        changed(rooms.edit(1), ordering_key=f"session:{rooms.ADA.session_id}"),
        changed(rooms.chat(1), ordering_key="session:someone-else"),
        changed(rooms.started(2), ordering_key="execution:run-2"),
        changed(rooms.edit(1), ordering_key=f"document:{rooms.DOCUMENT}/"),
        changed(rooms.edit(1), ordering_key=f"document:{rooms.DOCUMENT}/a b"),
    ],
)
def test_an_ordering_key_that_the_type_does_not_allow_is_refused(line: bytes):
    assert (refusal(line).reason, refusal(line).path) == (Reason.WRONG_ORDERING_KEY, "$.ordering_key")


def test_a_writer_may_number_its_own_operations():
    line = changed(rooms.edit(1), ordering_key=f"document:{rooms.DOCUMENT}/agent-2")
    assert not isinstance(decode(line), Refusal)


@pytest.mark.parametrize("text", ["", "a" * 65, "a b", "é", "a/b", "a.b", "a\n"])
def test_texts_that_are_no_ids(text: str):
    assert not is_id(text)


@pytest.mark.parametrize("text", ["a", "A-z_09", "-", "_" * 64])
def test_texts_that_are_ids(text: str):
    assert is_id(text)
