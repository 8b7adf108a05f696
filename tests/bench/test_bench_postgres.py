"""The PostgreSQL contender, as far as it needs no server."""

from pathlib import Path

import pytest

from bench import postgres_server
from bench.contender import ContenderError
from bench.postgres import TABLES
from bench.postgres_server import find_programs
from codewave.local.settings import LocalSettings
from udfs.route import ROUTES


def test_there_is_a_table_for_every_kind_of_event():
    assert set(TABLES) == {table for table, _ in ROUTES.values()}


def test_a_table_has_the_columns_of_the_lakes():
    table = TABLES["document_operations"]
    columns = {"event_id": "uuid", "sequence": "bigint", "received_at": "timestamptz", "late": "boolean"}
    columns |= {"patches": "jsonb", "parents": "text", "checksum": "bigint"}
    assert columns.items() <= table.columns.items()
    assert "PRIMARY KEY (event_id)" in table.create
    assert table.insert.count("%b::") == len(table.columns)
    assert table.insert.endswith("ON CONFLICT DO NOTHING")


def test_where_there_is_no_server_to_be_had_the_message_says_what_to_install(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(postgres_server, "_DEBIAN", tmp_path / "nothing")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ContenderError, match="run apt-get update, install Debian's package postgresql, or leave the contender out"
    ):
        find_programs(LocalSettings(cache_folder=str(tmp_path / "cache")))
    assert not list(tmp_path.rglob("*.deb"))
