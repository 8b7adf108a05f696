"""``codewave document``: the exact text at any sequence, and whether it can be trusted."""

import hashlib
import json

import pytest
import typer
from click.testing import Result
from example_lake import ExampleLake
from example_rooms import closed, edit, opened, snapshot, typed
from lake_fixture import lake  # noqa: F401
from typer.testing import CliRunner

from codewave.cli import document
from codewave.errors import CodewaveError, WrongUseError

app = typer.Typer()
document.register(app)
TEXT = "é\n🎉 "


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["document", *arguments], catch_exceptions=False)


def test_the_text_is_printed_exactly(lake: ExampleLake) -> None:  # noqa: F811
    lake.take(*typed(TEXT))
    assert run("show", "main-py").stdout_bytes == TEXT.encode()


def test_the_text_at_an_earlier_sequence(lake: ExampleLake) -> None:  # noqa: F811
    lake.take(*typed(TEXT))
    assert run("show", "main-py", "--at", "3").stdout_bytes == TEXT[:3].encode()


def test_a_sound_document_is_verified_with_its_hash(lake: ExampleLake) -> None:  # noqa: F811
    lake.take(opened(1), *typed("abc", first=2), snapshot(5, "abc"), closed(6))
    result = run("verify", "main-py", "--json")
    verified = json.loads(result.stdout)
    assert result.exit_code == 0
    assert verified | {"verified": True, "operations": 3, "checksums_verified": 3, "characters": 3} == verified
    assert verified["sha256"] == hashlib.sha256(b"abc").hexdigest()


def test_a_wrong_checksum_is_named_and_exits_with_1(lake: ExampleLake) -> None:  # noqa: F811
    lake.take(edit(1, "a", checksum=7))
    result = run("verify", "main-py")
    assert result.exit_code == 1
    assert "sequence 1: checksum" in result.output


def test_a_missing_sequence_is_named_and_exits_with_1(lake: ExampleLake) -> None:  # noqa: F811
    lake.take(*typed("abc"))
    lake.catalog.load_table("rooms.document_operations").delete("sequence = 2")
    result = run("verify", "main-py")
    assert result.exit_code == 1
    assert "sequence 2: missing" in result.output


def test_a_document_without_edits_is_told(lake: ExampleLake) -> None:  # noqa: F811, ARG001
    with pytest.raises(CodewaveError, match="document nothing: the lake has no edit of it"):
        run("show", "nothing")


def test_an_id_that_cannot_be_is_wrong_use(lake: ExampleLake) -> None:  # noqa: F811, ARG001
    with pytest.raises(WrongUseError, match="an id is 1 to 64"):
        run("show", "x' OR '1'='1")
