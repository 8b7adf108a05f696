"""The contract's examples pass and fail as their files say, by the Structs and by the JSON Schemas alike.

Two kinds of failing example are told by their names: ``pattern-`` breaks only a pattern, which the JSON Schema has
and the Structs leave to the stream; ``stream-`` breaks a rule between fields, which only the stream checks.
"""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from codewave.contract.events import EVENT_TYPES, AnyEvent
from codewave.contract.page import EXAMPLES
from codewave.contract.reasons import Reason
from codewave.contract.schemas import FOLDER, read_schemas
from codewave.contract.upcast import REGISTRY

SCHEMAS = {name.removesuffix(".json"): schema for name, schema in read_schemas(FOLDER).items()}
PASSING = sorted(EXAMPLES.glob("*/pass/*.json"))
FAILING = sorted(EXAMPLES.glob("*/fail/*.json"))


def name_of(path: Path) -> str:
    return f"{path.parents[1].name}/{path.stem}"


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def schema_paths(path: Path, event: Any) -> set[str]:
    """Paths of all violations; a missing field's is the path it should have."""
    schema = SCHEMAS[path.parents[1].name]
    found = set()
    for error in jsonschema.Draft202012Validator(schema).iter_errors(event):
        missing = re.match(r"'(\w+)' is a required property", error.message)
        deepest = jsonschema.exceptions.best_match([error])
        found.add(f"{error.json_path}.{missing[1]}" if missing else deepest.json_path)
    return found


def struct_error(event: Any) -> str | None:
    try:
        msgspec.json.decode(json.dumps(event), type=AnyEvent)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def struct_path(message: str) -> str:
    text, _, path = message.partition(" - at `")
    missing = re.search(r"missing required field `(\w+)`", text)
    return (path.removesuffix("`") or "$") + (f".{missing[1]}" if missing else "")


@pytest.mark.parametrize("path", PASSING, ids=name_of)
def test_a_passing_example_passes_the_json_schema(path: Path) -> None:
    assert schema_paths(path, read(path)) == set()


@pytest.mark.parametrize("path", PASSING, ids=name_of)
def test_a_passing_example_decodes_to_the_struct_of_its_type(path: Path) -> None:
    kind = path.parents[1].name.rpartition(".v")[0]
    assert type(msgspec.json.decode(path.read_bytes(), type=AnyEvent)) is EVENT_TYPES[kind]


@pytest.mark.parametrize("path", PASSING, ids=name_of)
def test_a_passing_example_survives_encoding_and_decoding(path: Path) -> None:
    event = msgspec.json.decode(path.read_bytes(), type=AnyEvent)
    assert msgspec.json.decode(msgspec.json.encode(event), type=AnyEvent) == event


@pytest.mark.parametrize("path", FAILING, ids=name_of)
def test_a_failing_example_fails_the_json_schema_at_its_path_alone(path: Path) -> None:
    example = read(path)
    expected = set() if re.match(r"\d+-stream-", path.name) else {example["path"]}
    assert schema_paths(path, example["event"]) == expected


@pytest.mark.parametrize("path", FAILING, ids=name_of)
def test_a_failing_example_is_refused_by_the_structs_unless_only_the_stream_can_tell(path: Path) -> None:
    example = read(path)
    error = struct_error(example["event"])
    left_to_the_stream = example["reason"] == Reason.UNKNOWN_VERSION or re.match(r"\d+-(pattern|stream)-", path.name)
    if left_to_the_stream:
        assert error is None
    else:
        assert error is not None
        assert (
            struct_path(error) == re.sub(r"\[\d+\]", "[...]", example["path"]) or struct_path(error) == example["path"]
        )


@pytest.mark.parametrize("path", FAILING, ids=name_of)
def test_a_failing_example_names_a_reason_of_the_contract(path: Path) -> None:
    assert Reason(read(path)["reason"])


@pytest.mark.parametrize("path", PASSING, ids=name_of)
def test_a_passing_example_counts_along_the_key_that_its_type_demands(path: Path) -> None:
    event = read(path)
    kind = event["type"].partition(".")[0]
    payload = event["payload"]
    key = {
        "document": f"document:{payload.get('document_id')}",
        "execution": f"execution:{payload.get('execution_id')}",
    }.get(kind, f"session:{event['session_id']}")
    assert event["ordering_key"].partition("/")[0] == key


@pytest.mark.parametrize("of", REGISTRY.structs, ids=lambda of: f"{of[0]}.v{of[1]}")
@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_every_version_of_a_type_has_at_least_five_numbered_examples(of: tuple[str, int], verdict: str) -> None:
    names = sorted(path.name for path in (EXAMPLES / f"{of[0]}.v{of[1]}" / verdict).glob("*.json"))
    assert len(names) >= 5
    assert [name[:3] for name in names] == [f"{number:02d}-" for number in range(1, len(names) + 1)]


def test_no_two_passing_examples_of_a_type_share_an_event_id() -> None:
    ids = [read(path)["event_id"] for path in PASSING]
    assert len(ids) == len(set(ids))
