"""Wrong use and things that are down each end in one clear line and exit code 1 or 2: as a person runs it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codewave.local.settings import LOOPBACK

OFFSET = 45_000
"""Ports on which nothing of ours ever listens."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        yield taken.getsockname()[1]


def codewave(data: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CODEWAVE_")}
    mine = {"CODEWAVE_DATA_FOLDER": str(data), "CODEWAVE_PORT_OFFSET": str(OFFSET)}
    mine |= {f"CODEWAVE_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-c", "from codewave.cli.app import main; main()", *words]
    return subprocess.run(command, env=environment | mine, capture_output=True, text=True, timeout=60, check=False)


def assert_one_line(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.strip().startswith("codewave: ")
    for word in words:
        assert word in done.stderr


def test_an_unknown_setting_is_named_with_those_that_exist(data: Path) -> None:
    assert_one_line(codewave(data, "status", nonsense="1"), 2, "nonsense", "kinesis_port")


def test_a_setting_of_the_wrong_type_is_named(data: Path) -> None:
    assert_one_line(codewave(data, "status", task_managers="many"), 2, "task_managers")


def test_a_port_in_use_is_named_before_anything_is_started(data: Path, taken_port: int) -> None:
    done = codewave(data, "up", opensearch_port=str(taken_port - OFFSET))
    assert_one_line(done, 1, f"port {taken_port} (opensearch) is in use", "CODEWAVE_OPENSEARCH_PORT")
    assert not list(data.glob("run/*.pid"))


@pytest.mark.parametrize("command", ["run", "play"])
def test_a_file_that_is_no_trace_is_named_before_anything_is_started(data: Path, tmp_path: Path, command: str) -> None:
    wrong = tmp_path / "wrong.json.gz"
    wrong.write_text("not a trace")
    assert_one_line(codewave(data, command, str(wrong)), 2, "wrong.json.gz")
    assert_one_line(codewave(data, command, str(tmp_path / "absent.json.gz")), 2, "absent.json.gz")
    assert not data.exists()


def test_a_fault_that_does_not_exist_is_named(data: Path) -> None:
    assert_one_line(codewave(data, "run", "--chaos", "meteor=1"), 2, "meteor", "duplicate")


def test_an_unreachable_opensearch_is_named_with_what_to_do(data: Path) -> None:
    assert_one_line(codewave(data, "search", "words"), 1, "opensearch", "codewave up")


def test_a_lake_that_is_down_is_named_with_what_to_do(data: Path) -> None:
    assert_one_line(codewave(data, "query", "SELECT 1"), 1, "catalog", "codewave up")
    assert_one_line(codewave(data, "reconcile"), 1, "catalog", "codewave up")


def test_a_stream_that_is_down_is_named_with_what_to_do(data: Path) -> None:
    assert_one_line(codewave(data, "play"), 1, "no stream answers", "codewave up")


def test_a_cluster_that_is_down_is_named_with_what_to_do(data: Path) -> None:
    assert_one_line(codewave(data, "job", "start", "--sinks", "lake"), 1, "flink", "codewave up")


def test_sinks_that_do_not_exist_are_named(data: Path) -> None:
    assert_one_line(codewave(data, "job", "start", "--sinks", "lake,sea"), 2, "sea", "raw,lake,search")


@pytest.mark.parametrize("namespace", ["Rooms", "a b", "../x", ""])
def test_a_namespace_that_cannot_be_a_name_is_refused(data: Path, namespace: str) -> None:
    assert_one_line(codewave(data, "job", "status", "--namespace", namespace), 2, "lower-case")


def test_help_is_there_for_every_command(data: Path) -> None:
    for words in ([], ["job"], ["job", "start"], ["document", "verify"], ["tables", "apply"], ["run"], ["play"]):
        done = codewave(data, *words, "--help")
        assert (done.returncode, "Usage:" in done.stdout) == (0, True)
