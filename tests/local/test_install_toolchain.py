"""Finding Java, Node and the installed parts: the machine's where they fit, else what set-up installed."""

import os
from pathlib import Path

import pytest

from codewave.errors import CodewaveError
from codewave.local import toolchain
from codewave.local.settings import LocalSettings


@pytest.fixture
def settings(tmp_path: Path) -> LocalSettings:
    return LocalSettings(cache_folder=str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine whose path holds nothing yet; returns the folder on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


def test_java_home_of_the_right_version_is_taken(
    settings: LocalSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = _java(tmp_path / "jdk", "17.0.9")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert toolchain.java_home(settings) == home


def test_java_home_of_another_version_gives_way_to_the_path(
    settings: LocalSettings, tmp_path: Path, bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(_java(tmp_path / "new", "25.0.1")))
    home = _java(tmp_path / "jdk", "17.0.9")
    (bare_machine / "java").symlink_to(home / "bin" / "java")
    assert toolchain.java_home(settings) == home


def test_a_java_without_release_file_is_asked_for_its_version(tmp_path: Path, bare_machine: Path) -> None:
    home = _java(tmp_path / "jdk", "17.0.9")
    (home / "release").unlink()
    _script(home / "bin" / "java", "echo openjdk 17.0.9 2023-10-17")
    (bare_machine / "java").symlink_to(home / "bin" / "java")
    assert toolchain.machine_java_home() == home


def test_the_installed_java_serves_where_the_machine_has_another_version(
    settings: LocalSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(_java(tmp_path / "new", "21.0.2")))
    own = _java(toolchain.own_java_home(settings), "17.0.9")
    assert toolchain.find_java(settings) == own / "bin" / "java"


def test_no_java_says_how_to_get_one(settings: LocalSettings) -> None:
    with pytest.raises(CodewaveError, match="Java 17 is not installed; run `make setup`"):
        toolchain.java_home(settings)


@pytest.mark.parametrize(
    ("version", "taken"), [("v18.0.0", True), ("v20.20.2", True), ("v16.20.0", False), ("", False)]
)
def test_the_machines_node_is_taken_if_it_is_new_enough(bare_machine: Path, version: str, taken: bool) -> None:
    _script(bare_machine / "node", f"echo {version}")
    _script(bare_machine / "npm", "true")
    assert (toolchain.machine_node() is not None) is taken


def test_a_node_without_npm_is_not_taken(bare_machine: Path) -> None:
    _script(bare_machine / "node", "echo v20.0.0")
    assert toolchain.machine_node() is None


def test_npm_of_the_installed_node_runs_on_that_node(settings: LocalSettings) -> None:
    node = toolchain.own_node_folder(settings) / "bin" / "node"
    _script(node, "true")
    assert toolchain.npm_command(settings)[0] == str(node)


def test_maven_is_the_wrapper_where_the_machine_has_none(settings: LocalSettings) -> None:
    assert Path(toolchain.maven_command(settings)[1]).name == "mvnw"


def test_the_machines_maven_is_taken_first(settings: LocalSettings, bare_machine: Path) -> None:
    _script(bare_machine / "mvn", "true")
    assert toolchain.maven_command(settings)[0] == str(bare_machine / "mvn")


def test_every_part_that_is_not_installed_says_how_to_get_it(settings: LocalSettings) -> None:
    for find in (
        toolchain.find_node,
        toolchain.connectors_jar,
        toolchain.catalog_classpath,
        toolchain.opensearch_home,
        toolchain.kinesis_folder,
    ):
        with pytest.raises(CodewaveError, match="is not installed; run `make setup`"):
            find(settings)


def _java(home: Path, version: str) -> Path:
    _script(home / "bin" / "java", "exit 1")
    (home / "release").write_text(f'IMPLEMENTOR="Somebody"\nJAVA_VERSION="{version}"\n', encoding="utf-8")
    return home


def _script(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    file.chmod(0o755)
    assert os.access(file, os.X_OK)
