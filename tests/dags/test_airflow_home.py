"""Airflow's home on this machine: private, on loopback, and the same after the next start."""

import json
from configparser import ConfigParser
from pathlib import Path

import pytest

from codewave.local import airflow
from codewave.local.airflow import airflow_home, password_file, prepare_home
from codewave.local.settings import LocalSettings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalSettings:
    """Settings of an Airflow whose database is not made, which takes 15 s."""
    monkeypatch.setattr(airflow, "_migrate", lambda _: None)
    return LocalSettings(data_folder=str(tmp_path / "data"), port_offset=1000)


def configuration(settings: LocalSettings) -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.read(airflow_home(settings) / "airflow.cfg")
    return parser


def test_only_its_owner_can_read_the_home_and_its_secrets(settings: LocalSettings):
    home = prepare_home(settings)
    assert home.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o777 for file in home.iterdir() if file.is_file()} == {
        "airflow.cfg": 0o600,
        "passwords.json": 0o600,
    }


def test_secrets_are_random_and_stay_when_it_is_started_again(settings: LocalSettings, tmp_path: Path):
    prepare_home(settings)
    before, password = configuration(settings), password_file(settings).read_text(encoding="utf-8")
    prepare_home(settings, "other")
    after = configuration(settings)
    assert password_file(settings).read_text(encoding="utf-8") == password
    secrets = [("core", "fernet_key"), ("api", "secret_key"), ("api_auth", "jwt_secret")]
    assert [after[section][name] for section, name in secrets] == [before[section][name] for section, name in secrets]
    assert after["codewave"]["namespace"] == "other"
    elsewhere = LocalSettings(data_folder=str(tmp_path / "elsewhere"))
    prepare_home(elsewhere)
    values = {configuration(one)[section][name] for one in (settings, elsewhere) for section, name in secrets}
    assert len(values) == 2 * len(secrets)
    assert json.loads(password)["admin"] != json.loads(password_file(elsewhere).read_text(encoding="utf-8"))["admin"]


def test_everything_is_on_loopback_and_nothing_is_reported_outside(settings: LocalSettings):
    prepare_home(settings)
    found = configuration(settings)
    assert found["api"]["host"] == "127.0.0.1"
    assert found["api"]["port"] == "9080"
    assert found["core"]["execution_api_server_url"] == "http://127.0.0.1:9080/execution/"
    assert found["core"]["load_examples"] == "False"
    assert found["usage_data_collection"]["enabled"] == "False"
    assert found["database"]["sql_alchemy_conn"].startswith("sqlite:////")
