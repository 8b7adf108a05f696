"""``codewave contract`` tells what is out of date and what breaks writers."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from codewave.cli import contract
from codewave.contract.schemas import write_schemas


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    contract.register(app)
    return app


def test_check_is_content_with_the_committed_contract(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["contract", "check", "--json"])
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"stale": [], "breaking": []})


def test_check_ends_with_1_and_names_a_field_that_is_gone(app: typer.Typer, tmp_path: Path) -> None:
    write_schemas(tmp_path)
    released = tmp_path / "chat.posted.v1.json"
    schema = json.loads(released.read_text())
    schema["properties"]["payload"]["properties"]["mood"] = {"type": "string"}
    released.write_text(json.dumps(schema))
    result = CliRunner().invoke(app, ["contract", "check", "--released", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stdout == "chat.posted.v1: payload.mood is gone; keep it or make a new version\n"
