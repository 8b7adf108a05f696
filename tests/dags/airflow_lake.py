"""DAGs run by Airflow itself on an example lake."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from example_lake import NAMESPACE, ExampleLake

from codewave.local.namespace import Namespace
from codewave.local.settings import LOOPBACK
from codewave.orchestration.alerts import Alert, read_alerts
from codewave.orchestration.runs import DagFolder, DagResult
from iceberg.definition import read_definitions
from iceberg.lake import Lake


class LakeOfDags(ExampleLake):
    """An example lake that the tasks of DAGs open, also in other processes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make the tables and say where they are, as on AWS, by Airflow's configuration."""
        super().__init__(folder)
        self.folder = folder
        for name, value in lake_options(folder).items():
            monkeypatch.setenv(name, value)

    def lake(self) -> Lake:
        """The lake as the tasks see it."""
        return Lake(self.catalog, Namespace(NAMESPACE), self.engine(), self.folder / "lake", tuple(read_definitions()))

    def rows(self, sql: str) -> list[list[Any]]:
        """What a query finds now."""
        return self.engine().query(sql).rows

    def alerts(self) -> list[Alert]:
        """All alerts, oldest first."""
        return read_alerts(self.folder / "alerts.log")


def lake_options(folder: Path) -> dict[str, str]:
    """Variables of the environment that point Airflow's tasks to an example lake."""
    catalog = {
        "name": "test",
        "type": "sql",
        "uri": f"sqlite:///{folder}/catalog.db",
        "warehouse": (folder / "warehouse").as_uri(),
    }
    return {
        "AIRFLOW__CODEWAVE__CATALOG": json.dumps(catalog),
        "AIRFLOW__CODEWAVE__WAREHOUSE": str(folder / "warehouse"),
        "AIRFLOW__CODEWAVE__STATE": str(folder / "lake"),
        "AIRFLOW__CODEWAVE__ALERT_LOG": str(folder / "alerts.log"),
        "CODEWAVE_DATA_FOLDER": str(folder),
    }


class DagRunner:
    """Runs DAGs of the project's folder in this process."""

    def __init__(self) -> None:
        """Let Airflow read the folder."""
        self.folder = DagFolder()

    def run(self, name: str, **conf: Any) -> DagResult:
        """Run a DAG once, now."""
        return self.folder.run(name, conf)

    def told(self, table: str) -> list[dict[str, Any]]:
        """What the events of a table's asset carry, oldest first."""
        from airflow.models.asset import AssetEvent, AssetModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            events = select(AssetEvent).join(AssetModel, AssetEvent.asset_id == AssetModel.id)
            found = session.scalars(events.where(AssetModel.name == table).order_by(AssetEvent.id))
            return [event.extra for event in found]


def free_port() -> int:
    """A port that nobody listens on: several runs of these tests may share a machine."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def states(result: DagResult) -> dict[str, list[str]]:
    """What became of each task, mapped ones in their order."""
    found: dict[str, list[str]] = {}
    for task in result.tasks:
        found.setdefault(task.task, []).append(task.state)
    return found
