"""What the local cluster is told: memory, addresses, saved states and the job's properties."""

import json
import os
import stat
from pathlib import Path

import pytest
import yaml

from codewave.errors import CodewaveError, WrongUseError
from codewave.local import flink_config, job_code, job_properties, saved_states
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings
from codewave.local.submission import root_cause

JOB = "room_events-rooms"


@pytest.fixture
def settings(tmp_path: Path) -> LocalSettings:
    return LocalSettings(port_offset=100, data_folder=str(tmp_path))


def test_memory_adds_up_to_the_setting(settings: LocalSettings) -> None:
    assert flink_config.task_manager_memory(settings).total == settings.task_manager_memory_mb


def test_java_may_use_as_much_heap_as_flink_plans_with(settings: LocalSettings) -> None:
    memory = flink_config.task_manager_memory(settings)

    assert f"-Xmx{memory.task_heap + memory.framework_heap}m" in memory.java_options()


@pytest.mark.parametrize("name", ["task_manager_memory_mb", "job_manager_memory_mb"])
def test_too_little_memory_is_refused_with_the_settings_name(name: str) -> None:
    settings = LocalSettings(**{name: 600})

    with pytest.raises(WrongUseError, match=name):
        flink_config.cluster_options(settings, "")


def test_every_address_is_loopback_and_every_fixed_port_shifted(settings: LocalSettings) -> None:
    options = flink_config.cluster_options(settings, "")

    addresses = {value for key, value in options.items() if key.endswith((".address", "-address", ".host", "-host"))}
    assert addresses == {"127.0.0.1"}
    ports = {key: value for key, value in options.items() if key.endswith("port")}
    assert ports == {
        "jobmanager.rpc.port": "6223",
        "blob.server.port": "6224",
        "rest.port": "8181",
        "rest.bind-port": "8181",
    }


def test_nobody_can_hand_the_cluster_a_jar_through_the_web_page(settings: LocalSettings) -> None:
    assert flink_config.cluster_options(settings, "")["web.submit.enable"] == "false"


def test_the_written_configuration_keeps_what_flink_opens_in_java_17(settings: LocalSettings, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "conf").mkdir(parents=True)
    (home / "conf" / "config.yaml").write_text("env: {java: {opts: {all: --add-opens=a/b=ALL-UNNAMED}}}")

    flink_config.write_configuration(settings, home, tmp_path / "conf")

    written = yaml.safe_load((tmp_path / "conf" / "config.yaml").read_text())
    assert written["env.java.opts.all"] == "--add-opens=a/b=ALL-UNNAMED"
    assert all(isinstance(value, str) for value in written.values())


def test_the_newest_complete_state_is_resumed_from(settings: LocalSettings) -> None:
    _checkpoint(settings, "run1/chk-9", at=100)
    newest = _checkpoint(settings, "run2/chk-2", at=200)
    unfinished = saved_states.checkpoint_folder(settings, JOB) / "run2" / "chk-3"
    unfinished.mkdir()

    assert saved_states.choose_state(settings, "rooms", JOB, "latest").path == newest


def test_a_savepoint_taken_after_the_last_checkpoint_comes_first(settings: LocalSettings) -> None:
    _checkpoint(settings, "run1/chk-9", at=100)
    savepoint = _complete(saved_states.savepoint_folder(settings, JOB) / "savepoint-1-2", at=101)

    assert saved_states.choose_state(settings, "rooms", JOB, "latest").path == savepoint


def test_a_time_means_the_newest_state_completed_by_then(settings: LocalSettings) -> None:
    first = _checkpoint(settings, "run1/chk-1", at=100)
    _checkpoint(settings, "run1/chk-2", at=200)

    assert saved_states.choose_state(settings, "rooms", JOB, "150000").path == first
    assert saved_states.choose_state(settings, "rooms", JOB, "1970-01-01T00:02:30").path == first


def test_no_saved_state_is_an_error_that_says_where_it_looked_and_what_to_do(settings: LocalSettings) -> None:
    with pytest.raises(CodewaveError, match=rf"no checkpoint under .*{JOB}; start with .*--from earliest"):
        saved_states.choose_state(settings, "rooms", JOB, "latest")


def test_an_unfinished_savepoint_is_refused(settings: LocalSettings, tmp_path: Path) -> None:
    (tmp_path / "savepoint-1").mkdir()

    with pytest.raises(WrongUseError, match="no complete savepoint"):
        saved_states.choose_state(settings, "rooms", JOB, str(tmp_path / "savepoint-1"))


def test_old_runs_are_forgotten_except_the_one_that_is_resumed(settings: LocalSettings) -> None:
    states = [_checkpoint(settings, f"run{number}/chk-1", at=number) for number in range(1, 7)]

    saved_states.forget_old_runs(settings, JOB, keep=states[1])

    assert [state.exists() for state in states] == [False, True, False, True, True, True]


def test_properties_are_in_managed_flinks_form_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "application_properties.json"

    job_properties.write_properties(file, {"namespace": "rooms"})

    assert json.loads(file.read_text()) == [{"PropertyGroupId": "room_events", "PropertyMap": {"namespace": "rooms"}}]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("sinks", "name"),
    [
        ("raw,lake,search", "room_events-rooms"),
        ("search,lake,raw", "room_events-rooms"),
        ("lake", "room_events-rooms-lake"),
        ("lake,raw", "room_events-rooms-raw-lake"),
    ],
)
def test_a_job_of_fewer_sinks_carries_them_in_its_name(sinks: str, name: str) -> None:
    assert job_properties.job_name(Namespace("rooms"), sinks) == name


def test_an_unknown_sink_is_refused_with_those_that_exist() -> None:
    with pytest.raises(WrongUseError, match="raw,lake,search"):
        job_properties.job_name(Namespace("rooms"), "raw,lakes")


def test_jobs_of_one_namespace_keep_their_checkpoints_apart(settings: LocalSettings) -> None:
    folders = {
        job_properties.job_properties(settings, Namespace("rooms"), sinks, "earliest")["checkpoint_folder"]
        for sinks in ("raw", "lake", "raw,lake")
    }

    assert len(folders) == 3


def test_every_property_is_text(settings: LocalSettings) -> None:
    properties = job_properties.job_properties(settings, Namespace("rooms"), "raw", "2026-01-31T00:00:00+00:00")

    assert all(isinstance(value, str) for value in properties.values())
    assert properties["stream_start"] == "1769817600000"


def test_an_edit_gives_the_code_another_copy_and_leaves_the_old_one(tmp_path: Path) -> None:
    root = tmp_path / "project"
    _project(root)
    first = job_code.copy_code(tmp_path / "code", root)
    (root / "udfs" / "rows.py").write_text("changed = True\n")

    second = job_code.copy_code(tmp_path / "code", root)

    assert first != second
    assert (first / "udfs" / "rows.py").read_text() == ""
    assert (second / "udfs" / "rows.py").read_text() == "changed = True\n"


def test_the_same_code_is_copied_once(tmp_path: Path) -> None:
    _project(tmp_path / "project")

    copies = {job_code.copy_code(tmp_path / "code", tmp_path / "project") for _ in range(2)}

    assert len(copies) == 1


def test_the_connectors_sources_are_not_part_of_the_code(tmp_path: Path) -> None:
    _project(tmp_path / "project")

    copy = job_code.copy_code(tmp_path / "code", tmp_path / "project")

    assert not (copy / "flink_jobs" / "connectors").exists()


@pytest.mark.parametrize(
    ("record", "stale"),
    [
        (None, False),
        (job_code.CodeInProcesses("new", frozenset({1})), False),
        (job_code.CodeInProcesses("old", frozenset({1})), True),
        (job_code.CodeInProcesses("old", frozenset({9})), False),
    ],
)
def test_modules_are_stale_only_where_a_process_has_run_other_code(
    record: job_code.CodeInProcesses | None, stale: bool
) -> None:
    assert job_code.is_stale(record, "new", {1, 2}) is stale


@pytest.mark.parametrize(
    ("trace", "cause"),
    [
        ("java.lang.A: a\n\tat x\nCaused by: java.B: b\n\tat y\nCaused by: java.C: c\n\tat z", "java.C: c"),
        ("java.lang.A: a\n\tat x", "java.lang.A: a"),
        (
            "Traceback …\n  File …\nValueError: no table\n\norg.apache.flink.client.program.ProgramAbortException: "
            "java.lang.RuntimeException: Python process exits with code: 1\nCaused by: java.lang.RuntimeException: x",
            "ValueError: no table",
        ),
        (
            "room_events: no properties\n\norg.apache.flink.client.program.ProgramAbortException: x",
            "room_events: no properties",
        ),
        ("", "no message"),
    ],
)
def test_the_root_cause_is_the_line_that_says_what_happened_first(trace: str, cause: str) -> None:
    assert root_cause(trace) == cause


def _checkpoint(settings: LocalSettings, path: str, at: int) -> Path:
    return _complete(saved_states.checkpoint_folder(settings, JOB) / path, at)


def _complete(folder: Path, at: int) -> Path:
    folder.mkdir(parents=True)
    metadata = folder / "_metadata"
    metadata.touch()
    os.utime(metadata, (at, at))
    return folder


def _project(root: Path) -> None:
    for file in (
        "udfs/rows.py",
        "flink_jobs/room_events/main.py",
        "flink_jobs/connectors/pom.xml",
        "codewave/__init__.py",
        "codewave/errors.py",
        "codewave/contract/events.py",
    ):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
