"""Airflow on this machine: its home under the data folder, its processes on loopback, and single runs of DAGs.

What ``airflow standalone`` starts, started one by one: that command also starts two log servers that listen on every
interface, and the web page reads the logs from the same folder anyway.
"""

import json
import os
import secrets
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from configparser import ConfigParser
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from codewave.errors import CodewaveError, WrongUseError
from codewave.local import processes
from codewave.local.namespace import LIVE
from codewave.local.processes import ProcessSpec
from codewave.local.secret_file import write_secret
from codewave.local.settings import LOOPBACK, PROJECT_ROOT, LocalSettings, to_environment
from codewave.orchestration.runs import DagInfo, DagResult

USER: Final = "admin"
DAGS_FOLDER: Final = PROJECT_ROOT / "dags"

_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "airflow-api": ("api-server", "--host", LOOPBACK),
    "airflow-dags": ("dag-processor",),
    "airflow-scheduler": ("scheduler", "--skip-serve-logs"),
    "airflow-triggerer": ("triggerer", "--skip-serve-logs"),
}
"""The web page first: the scheduler's tasks report to it."""

_START_DEADLINE_S: Final = 300.0
_POLL_S: Final = 1.0
_LOCK_TIMEOUT_S: Final = 60
_SECRET_BYTES: Final = 32
_PARALLEL_TASKS: Final = 2
"""Beside Flink and the rest of the stack on one machine; a task takes 300 MB."""
_CONFIG: Final = "airflow.cfg"
_LOCAL_SETTINGS: Final = "config/airflow_local_settings.py"
"""Where Airflow looks for functions that replace its own."""
_PASSWORDS: Final = "passwords.json"
_MIGRATED: Final = "migrated"
_LOG: Final = "airflow-runs"


def airflow_home(settings: LocalSettings) -> Path:
    """Folder of Airflow's configuration, database and passwords."""
    return settings.data / "airflow"


def web_url(settings: LocalSettings) -> str:
    """URL of the web page."""
    return f"http://{LOOPBACK}:{settings.port('airflow')}"


def password_file(settings: LocalSettings) -> Path:
    """JSON file with the password of the web page's user; only its owner can read it."""
    return airflow_home(settings) / _PASSWORDS


def prepare_home(settings: LocalSettings, namespace: str = LIVE) -> Path:
    """Make the home: configuration, secrets that nobody is shown, the database. What is there already is kept.

    :param namespace: of the lake that the DAGs work on.
    :raises CodewaveError: if the database cannot be made.
    """
    home = airflow_home(settings)
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    if not password_file(settings).exists():
        write_secret(password_file(settings), json.dumps({USER: secrets.token_urlsafe(_SECRET_BYTES)}))
    write_secret(home / _CONFIG, _configuration(settings, namespace))
    local_settings = home / _LOCAL_SETTINGS
    local_settings.parent.mkdir(exist_ok=True)
    local_settings.write_text("from codewave.local.airflow_database import *\n", encoding="ascii")
    _migrate(settings)
    return home


def start_airflow(settings: LocalSettings, namespace: str = LIVE) -> None:
    """Start the web page, the scheduler and their helpers, and wait until the page answers.

    :raises CodewaveError: if the port is in use, or a part does not come up.
    """
    home = prepare_home(settings, namespace)
    for name, words in _PARTS.items():
        processes.start(settings, _spec(settings, home, name, words))
    processes.wait_until(settings, "airflow-api", lambda: _answers(settings), _START_DEADLINE_S)


def stop_airflow(settings: LocalSettings) -> bool:
    """Stop all of it; returns whether anything ran."""
    return any(tuple(processes.stop(settings, name) for name in reversed(_PARTS)))


def dead_parts(settings: LocalSettings) -> list[str]:
    """Names of Airflow's processes that do not run."""
    return [name for name in _PARTS if processes.running_pid(settings, name) is None]


def serve_airflow(settings: LocalSettings, report: Callable[[str], None], namespace: str = LIVE) -> None:
    """Run Airflow until Ctrl-C, or until a part of it dies; its processes are ended in any case.

    :param report: told where the web page is.
    :raises CodewaveError: naming the part that died and its log.
    """
    try:
        report("airflow: starting")
        start_airflow(settings, namespace)
        report(f"airflow: {web_url(settings)}, user {USER}, password in {password_file(settings)}; Ctrl-C stops it")
        while not (dead := dead_parts(settings)):
            time.sleep(_POLL_S)
        raise CodewaveError(f"airflow: {dead[0]} ended; see {processes.log_file(settings, dead[0])}")
    except KeyboardInterrupt:
        report("airflow: stopping")
    finally:
        stop_airflow(settings)


def list_dags(settings: LocalSettings) -> list[DagInfo]:
    """The DAGs, in the order in which one reads what another has written.

    :raises CodewaveError: if a DAG file cannot be read, with the reason.
    """
    return msgspec.json.decode(_child(settings, ["list"]), type=list[DagInfo])


def run_dags(
    settings: LocalSettings, names: Sequence[str], day: str | None = None, namespace: str = LIVE
) -> list[DagResult]:
    """Run DAGs one after the other, here and now: no scheduler is needed, and none is disturbed.

    :param names: of DAGs; ``derived`` stands for those of all derived tables, in the order of their sources.
    :param day: the day that daily ones work on, ISO 8601; default yesterday.
    :returns: what became of each; after the first failure the others are left out.
    :raises WrongUseError: for a name that does not exist.
    """
    prepare_home(settings, namespace)
    words = ["run", *names, *(["--day", day] if day else [])]
    return msgspec.json.decode(_child(settings, words), type=list[DagResult])


def environment(settings: LocalSettings) -> dict[str, str]:
    """What a process needs in its environment to be part of this Airflow."""
    binaries = str(Path(sys.executable).parent)
    return to_environment(settings) | {
        "AIRFLOW_HOME": str(airflow_home(settings)),
        "PATH": os.pathsep.join([binaries, os.environ.get("PATH", "")]),
    }


def _configuration(settings: LocalSettings, namespace: str) -> str:
    home = airflow_home(settings)
    kept = _kept_secrets(home / _CONFIG)
    sections: dict[str, dict[str, object]] = {
        "core": {
            "dags_folder": DAGS_FOLDER,
            "load_examples": False,
            "executor": "LocalExecutor",
            "parallelism": _PARALLEL_TASKS,
            "dags_are_paused_at_creation": False,
            "execution_api_server_url": f"{web_url(settings)}/execution/",
            "simple_auth_manager_users": f"{USER}:admin",
            "simple_auth_manager_passwords_file": password_file(settings),
            "fernet_key": kept["fernet_key"],
        },
        # SQLite lets one process write at a time: the others wait, on a busy machine for longer than its 5 s.
        "database": {"sql_alchemy_conn": f"sqlite:///{home}/airflow.db?timeout={_LOCK_TIMEOUT_S}"},
        "api": {
            "host": LOOPBACK,
            "port": settings.port("airflow"),
            "base_url": web_url(settings),
            "workers": 1,
            "secret_key": kept["secret_key"],
        },
        "api_auth": {"jwt_secret": kept["jwt_secret"]},
        "logging": {
            "base_log_folder": home / "logs",
            "dag_processor_child_process_log_directory": home / "logs" / "dags",
        },
        "dag_processor": {"min_file_process_interval": 60},
        "usage_data_collection": {"enabled": False},
        # The tasks tell of their lineage themselves, with the tables' columns (iceberg.lineage).
        "openlineage": {"disabled": True},
        "codewave": {"namespace": namespace},
    }
    parser = ConfigParser(interpolation=None)
    for section, values in sections.items():
        parser[section] = {key: str(value) for key, value in values.items()}
    lines = (f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in parser[name].items()) for name in sections)
    return "\n".join(lines)


def _kept_secrets(file: Path) -> dict[str, str]:
    """Secrets of an earlier start, else new ones: with others, Airflow could not read what it has encrypted."""
    old = ConfigParser(interpolation=None)
    old.read(file)
    return {
        name: old.get(section, name, fallback="") or urlsafe_b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        for section, name in (("core", "fernet_key"), ("api", "secret_key"), ("api_auth", "jwt_secret"))
    }


def _migrate(settings: LocalSettings) -> None:
    """Make or upgrade the database; once per release of Airflow, as it takes 15 s."""
    mark, release = airflow_home(settings) / _MIGRATED, version("apache-airflow-core")
    if mark.exists() and mark.read_text(encoding="ascii") == release:
        return
    _run(settings, [sys.executable, "-m", "airflow", "db", "migrate"])
    mark.write_text(release, encoding="ascii")


def _child(settings: LocalSettings, words: list[str]) -> bytes:
    """Standard output of our part that runs inside Airflow's environment."""
    if not (airflow_home(settings) / _MIGRATED).exists():
        prepare_home(settings)
    return _run(settings, [sys.executable, "-m", "codewave.orchestration.runs", *words])


def _run(settings: LocalSettings, command: list[str]) -> bytes:
    log = processes.log_file(settings, _LOG)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as errors:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | environment(settings),
            cwd=airflow_home(settings),
            check=False,
        )
    if done.returncode:
        raise _failure(done.returncode, done.stdout.decode(errors="replace").strip(), log)
    return done.stdout


def _failure(code: int, said: str, log: Path) -> CodewaveError:
    """What a process of ours says when it fails is one line; one that says nothing crashed."""
    if code == WrongUseError.exit_code and said:
        return WrongUseError(said)
    return CodewaveError(f"{said or 'airflow: a process of it failed'}; its log: {log}")


def _spec(settings: LocalSettings, home: Path, name: str, words: tuple[str, ...]) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        command=[sys.executable, "-m", "airflow", *words],
        folder=home,
        environment=environment(settings),
        ports=("airflow",) if name == "airflow-api" else (),
    )


def _answers(settings: LocalSettings) -> bool:
    import requests

    try:
        return requests.get(f"{web_url(settings)}/api/v2/monitor/health", timeout=2).ok
    except requests.RequestException:
        return False
