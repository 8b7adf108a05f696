"""A fixture for commands: the example lake in place of the local stack's."""

from pathlib import Path

import pytest
from example_lake import ExampleLake, sqlite_catalog

import codewave.local.catalog


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExampleLake:
    """The example lake, which commands find instead of the catalog server; OpenSearch is down."""
    monkeypatch.setenv("CODEWAVE_DATA_FOLDER", str(tmp_path))
    lake = ExampleLake(tmp_path)
    monkeypatch.setattr(codewave.local.catalog, "load_catalog", lambda _: sqlite_catalog(tmp_path))
    return lake
