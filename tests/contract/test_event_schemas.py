"""The committed JSON Schemas and docs page are what the Structs generate."""

from pathlib import Path

import jsonschema
import pytest

from codewave.contract.page import PAGE, page, page_is_stale, write_page
from codewave.contract.schemas import FOLDER, Schema, current_schemas, schema_files, stale_schemas, write_schemas

RUN = "run: uv run codewave contract generate"


def test_the_committed_schemas_are_what_the_structs_generate() -> None:
    assert stale_schemas() == [], RUN
    for name, text in schema_files().items():
        assert (FOLDER / name).read_bytes() == text.encode(), RUN


def test_the_docs_page_is_what_the_structs_generate() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), RUN


@pytest.mark.parametrize("schema", current_schemas().values(), ids=lambda schema: schema["$id"])
def test_a_schema_is_valid_json_schema(schema: Schema) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("schema", current_schemas().values(), ids=lambda schema: schema["$id"])
def test_a_schema_names_and_describes_itself_and_every_field(schema: Schema) -> None:
    assert schema["$id"].startswith("urn:codewave:event:")
    assert schema["title"]
    assert schema["description"]
    properties = schema["properties"] | schema["properties"]["payload"]["properties"]
    assert [name for name, field in properties.items() if not field.get("description")] == []


def test_a_changed_a_missing_and_a_superfluous_schema_are_stale_until_written_again(tmp_path: Path) -> None:
    write_schemas(tmp_path)
    (tmp_path / "chat.posted.v1.json").write_text("{}")
    (tmp_path / "cursor.moved.v1.json").unlink()
    (tmp_path / "gone.v1.json").write_text("{}")
    stale = ["chat.posted.v1.json", "cursor.moved.v1.json", "gone.v1.json"]
    assert [path.name for path in stale_schemas(tmp_path)] == stale
    assert [path.name for path in write_schemas(tmp_path)] == stale
    assert stale_schemas(tmp_path) == []


def test_the_page_is_written_only_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "docs" / "events.md"
    assert page_is_stale(path)
    assert write_page(path)
    assert not write_page(path)


def test_the_page_has_a_section_and_an_example_for_every_type() -> None:
    text = page()
    for name in current_schemas():
        kind = name.removesuffix(".v1.json")
        assert f"\n## {kind}, version 1\n" in text
        assert f'"type": "{kind}"' in text
