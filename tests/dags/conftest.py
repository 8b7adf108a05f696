"""One Airflow home for all tests of DAGs, made once; each test has a lake of its own."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow_lake import DagRunner, LakeOfDags, free_port

from codewave.local.airflow import prepare_home
from codewave.local.settings import LocalSettings


@pytest.fixture(scope="session")
def airflow_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSettings]:
    """Settings of an Airflow whose database is made; this process becomes part of it."""
    assert "airflow" not in sys.modules, "Airflow reads where its home is when it is imported: import it in tests only"
    settings = LocalSettings(data_folder=str(tmp_path_factory.mktemp("airflow")), airflow_port=free_port())
    os.environ["AIRFLOW_HOME"] = str(prepare_home(settings))
    yield settings
    del os.environ["AIRFLOW_HOME"]


@pytest.fixture(scope="session")
def runner(airflow_settings: LocalSettings) -> DagRunner:  # noqa: ARG001 - the home has to be there
    """The DAG folder, read by Airflow."""
    return DagRunner()


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LakeOfDags:
    """A lake that the tasks find through their settings; alerts of the test go to ``lake.alerts()``."""
    return LakeOfDags(tmp_path, monkeypatch)
