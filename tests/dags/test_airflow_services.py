"""Airflow's own services on an example lake: schedules, assets, backfills and deadlines as they are in production."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests
from airflow_lake import free_port, lake_options
from example_lake import ExampleLake
from example_rooms import START_MS, finished, queued, started

from codewave.local import processes
from codewave.local.airflow import (
    DAGS_FOLDER,
    airflow_home,
    dead_parts,
    environment,
    password_file,
    prepare_home,
    start_airflow,
    stop_airflow,
    web_url,
)
from codewave.local.settings import LocalSettings
from codewave.orchestration.alerts import read_alerts

pytestmark = pytest.mark.system

WAIT_S = 600
"""Beside the tests of the whole stack, which come first."""
STARTED_BY_HAND = ("late", "rederive", "lake_watch", "derive_executions")


class Services:
    """A running Airflow and the lake it works on."""

    def __init__(self, settings: LocalSettings, lake: ExampleLake) -> None:
        self.settings, self.lake = settings, lake

    def airflow(self, *words: str) -> str:
        """Run Airflow's own command and return what it prints."""
        command = [sys.executable, "-m", "airflow", *words]
        variables = os.environ | environment(self.settings)
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def alerts(self) -> list[tuple[str, str]]:
        """Kind and subject of each alert."""
        return [(one.kind, one.subject) for one in read_alerts(self.settings.data / "alerts.log")]

    def ledger(self) -> list[str]:
        """Executions in the ledger."""
        found = self.lake.engine().query("SELECT execution_id FROM executions ORDER BY execution_id")
        return [name for (name,) in found.rows]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("services")
    dags = folder / "dags"
    dags.mkdir()
    for file in (*DAGS_FOLDER.glob("*.py"), Path(__file__).parent / "late_dags" / "late.py"):
        (dags / file.name).symlink_to(file)
    settings = LocalSettings(data_folder=str(folder), airflow_port=free_port())
    lake = ExampleLake(folder)
    variables = lake_options(folder) | {
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        try:
            start_airflow(settings)
            found = Services(settings, lake)
            eventually(lambda: all(name in found.airflow("dags", "list") for name in STARTED_BY_HAND))
            yield found
        finally:
            stop_airflow(settings)


def eventually(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < give_up, f"still not so after {WAIT_S} s"
        time.sleep(1)


@contextmanager
def busy_database(file: Path) -> Iterator[None]:
    """Write to Airflow's database all the time, in moments, as its other processes do when there is much to do."""
    done = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(file, timeout=WAIT_S, isolation_level=None)) as database:
            while not done.wait(0.002):
                database.execute("UPDATE dag SET description = description WHERE dag_id = 'late'")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()


def execution(name: str) -> list[object]:
    steps = enumerate((queued, started, finished), 1)
    return [step(place, execution=name, at=START_MS + place * 1000) for place, step in steps]


def test_nothing_listens_beyond_loopback_and_nobody_else_can_read_a_secret(services: Services):
    import psutil

    home = prepare_home(services.settings)
    ours = {processes.running_pid(services.settings, name) for name in ("airflow-api", "airflow-scheduler")}
    ours |= {processes.running_pid(services.settings, name) for name in ("airflow-triggerer", "airflow-dags")}
    family = {child.pid for pid in ours if pid for child in psutil.Process(pid).children(recursive=True)} | ours
    listening = {one.laddr.ip for one in psutil.net_connections("inet") if one.status == "LISTEN" and one.pid in family}
    assert listening == {"127.0.0.1"}
    assert dead_parts(services.settings) == []
    assert home.stat().st_mode & 0o777 == 0o700
    for file in (home / "airflow.cfg", password_file(services.settings)):
        assert file.stat().st_mode & 0o777 == 0o600
    password = password_file(services.settings).read_text(encoding="utf-8").split('"')[3]
    logs = [file for file in services.settings.data.rglob("*.log") if file.is_file()]
    assert logs
    assert not any(password in file.read_text(encoding="utf-8", errors="replace") for file in logs)


def test_the_page_lets_nobody_in_without_the_password(services: Services):
    assert requests.get(f"{web_url(services.settings)}/api/v2/dags", timeout=30).status_code == 401


def test_a_missed_deadline_is_told_of_while_the_run_goes_on(services: Services):
    services.airflow("dags", "unpause", "late")
    services.airflow("dags", "trigger", "late")
    eventually(lambda: ("deadline_missed", "late") in services.alerts())
    assert services.alerts().count(("deadline_missed", "late")) == 1
    (told,) = [one for one in read_alerts(services.settings.data / "alerts.log") if one.subject == "late"]
    assert "owner: somebody" in told.message
    assert "its state is running" in told.message or "its state is queued" in told.message


def test_a_backfill_by_airflow_derives_past_days_though_others_write_to_its_database(services: Services):
    services.lake.take(*execution("run-1"))
    services.airflow("dags", "unpause", "rederive")
    with busy_database(airflow_home(services.settings) / "airflow.db"):
        services.airflow(
            *("backfill", "create", "--dag-id", "rederive", "--from-date", "2026-01-01", "--to-date", "2026-01-03"),
            *("--dag-run-conf", '{"tables": ["executions"]}'),
        )
    eventually(lambda: services.ledger() == ["run-1"])


def test_new_rows_reach_the_ledger_by_themselves(services: Services):
    services.lake.take(*execution("run-2"))
    for name in ("derive_executions", "lake_watch"):
        services.airflow("dags", "unpause", name)
    eventually(lambda: "run-2" in services.ledger())


def test_the_command_ends_all_it_started_at_ctrl_c(tmp_path: Path):
    settings = LocalSettings(data_folder=str(tmp_path), airflow_port=free_port())
    variables = {"CODEWAVE_DATA_FOLDER": str(tmp_path), "CODEWAVE_AIRFLOW_PORT": str(settings.airflow_port)}
    command = [str(Path(sys.executable).with_name("codewave")), "dags", "web"]
    web = subprocess.Popen(command, env=os.environ | lake_options(tmp_path) | variables, stderr=subprocess.PIPE)
    try:
        eventually(lambda: answers(settings))
        web.send_signal(signal.SIGINT)
        _, said = web.communicate(timeout=WAIT_S)
        assert web.returncode == 0, said
        assert f"airflow: {web_url(settings)}, user admin, password in ".encode() in said.replace(b"\n", b" ")
        assert len(dead_parts(settings)) == 4
    finally:
        web.kill()
        stop_airflow(settings)


def answers(settings: LocalSettings) -> bool:
    try:
        return requests.get(f"{web_url(settings)}/api/v2/monitor/health", timeout=5).ok
    except requests.RequestException:
        return False
