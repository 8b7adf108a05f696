"""Processes of the local stack, tried on small Python programs."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codewave.errors import CodewaveError
from codewave.local import processes
from codewave.local.processes import ProcessSpec
from codewave.local.settings import LOOPBACK, LocalSettings

NAME = "probe"
SLEEP = "import time; time.sleep(600)"
IGNORE_TERM = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); " + SLEEP
WITH_CHILD = (
    f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {SLEEP!r}]).pid, flush=True); {SLEEP}"
)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[LocalSettings]:
    mine = LocalSettings(data_folder=str(tmp_path))
    yield mine
    processes.stop(mine, NAME, deadline_s=0.0)


def start(settings: LocalSettings, program: str, **more: object) -> int:
    command = [sys.executable, "-c", program]
    return processes.start(settings, ProcessSpec(name=NAME, command=command, folder=Path("/"), **more))  # type: ignore[arg-type]


def wait_for(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def log(settings: LocalSettings) -> str:
    return processes.log_file(settings, NAME).read_text()


def test_a_started_process_is_found_by_a_later_command(settings: LocalSettings) -> None:
    pid = start(settings, SLEEP)
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from codewave.local import processes; from codewave.local.settings import LocalSettings;"
            f"print(processes.running_pid(LocalSettings(data_folder=sys.argv[1]), {NAME!r}))",
            settings.data_folder,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str(pid)


def test_a_process_lives_in_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it(settings: LocalSettings) -> None:
    assert os.getsid(start(settings, SLEEP)) != os.getsid(0)


def test_stop_ends_the_process_and_forgets_it(settings: LocalSettings) -> None:
    pid = start(settings, SLEEP)
    assert processes.stop(settings, NAME) is True
    assert not is_alive(pid)
    assert not processes.pid_file(settings, NAME).exists()


def test_stop_says_when_nothing_ran(settings: LocalSettings) -> None:
    assert processes.stop(settings, NAME) is False


def test_stop_kills_a_process_that_does_not_end_by_itself(settings: LocalSettings) -> None:
    pid = start(settings, IGNORE_TERM)
    wait_for(lambda: "deaf" in log(settings))
    processes.stop(settings, NAME, deadline_s=0.2)
    assert not is_alive(pid)


def test_stop_ends_the_children_too(settings: LocalSettings) -> None:
    start(settings, WITH_CHILD)
    wait_for(lambda: log(settings).strip())
    processes.stop(settings, NAME)
    assert not is_alive(int(log(settings)))


def test_stop_finds_the_children_of_a_process_that_died(settings: LocalSettings) -> None:
    pid = start(settings, WITH_CHILD)
    wait_for(lambda: log(settings).strip())
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: processes.running_pid(settings, NAME) is None)
    assert processes.stop(settings, NAME) is True
    assert not is_alive(int(log(settings)))


def test_stop_finds_a_process_whose_pid_file_was_never_written(settings: LocalSettings) -> None:
    pid = start(settings, SLEEP)
    processes.pid_file(settings, NAME).unlink()
    assert processes.stop(settings, NAME) is True
    assert not is_alive(pid)


def test_another_program_with_a_recycled_id_is_neither_found_nor_stopped(settings: LocalSettings) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEP]) as other:
        file = processes.pid_file(settings, NAME)
        file.parent.mkdir()
        file.write_text(f"{other.pid} 1\n")
        found, stopped, lives = (
            processes.running_pid(settings, NAME),
            processes.stop(settings, NAME),
            other.poll() is None,
        )
        other.kill()
    assert (found, stopped, lives) == (None, False, True)


def test_a_pid_file_that_was_cut_short_counts_as_none(settings: LocalSettings) -> None:
    processes.pid_file(settings, NAME).parent.mkdir()
    processes.pid_file(settings, NAME).write_text("")
    assert processes.running_pid(settings, NAME) is None


def test_a_process_that_ended_does_not_count_as_running(settings: LocalSettings) -> None:
    start(settings, "pass")
    wait_for(lambda: processes.running_pid(settings, NAME) is None)


def test_a_port_is_free_again_as_soon_as_a_killed_process_is_gone(settings: LocalSettings) -> None:
    listen = (
        "import socket, threading, time; s = socket.create_server(('127.0.0.1', 0)); hog = bytearray(200 << 20);"
        "[threading.Thread(target=time.sleep, args=(600,)).start() for _ in range(100)];"
        "print(s.getsockname()[1], flush=True)"
    )
    pid = start(settings, listen)
    wait_for(lambda: log(settings).endswith("\n"))
    mine = LocalSettings(data_folder=settings.data_folder, catalog_port=int(log(settings)))
    os.kill(pid, signal.SIGKILL)
    processes.stop(settings, NAME)
    processes.check_ports(mine, ("catalog",))


def test_start_replaces_what_an_earlier_process_of_the_name_left_behind(settings: LocalSettings) -> None:
    old = start(settings, SLEEP)
    new = start(settings, SLEEP)
    assert not is_alive(old)
    assert processes.running_pid(settings, NAME) == new


def test_a_busy_port_is_named_before_anything_starts(settings: LocalSettings) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        mine = LocalSettings(data_folder=settings.data_folder, opensearch_port=other.getsockname()[1])
        with pytest.raises(CodewaveError) as error:
            start(mine, SLEEP, ports=("opensearch",))
        port = other.getsockname()[1]
    assert str(error.value) == (
        f"port {port} (opensearch) is in use; set CODEWAVE_OPENSEARCH_PORT or CODEWAVE_PORT_OFFSET"
    )
    assert processes.running_pid(mine, NAME) is None


def test_a_port_taken_on_every_interface_is_busy_too(settings: LocalSettings) -> None:
    with socket.create_server(("", 0)) as other:
        mine = LocalSettings(data_folder=settings.data_folder, flink_port=other.getsockname()[1])
        with pytest.raises(CodewaveError, match="flink"):
            processes.check_ports(mine, ("flink",))


def test_a_process_that_dies_at_start_is_reported_with_the_end_of_its_log(settings: LocalSettings) -> None:
    start(settings, "print('first'); raise SystemExit('no such warehouse')")
    with pytest.raises(CodewaveError, match=r"probe ended while starting; .*probe\.log:\n(.*\n)*no such warehouse"):
        processes.wait_until(settings, NAME, lambda: False, deadline_s=30)


def test_a_process_that_never_answers_is_reported_with_the_end_of_its_log(settings: LocalSettings) -> None:
    start(settings, "print('thinking', flush=True); " + SLEEP)
    wait_for(lambda: log(settings))
    with pytest.raises(CodewaveError, match=r"probe did not answer within 0 s; .*:\nthinking"):
        processes.wait_until(settings, NAME, lambda: False, deadline_s=0)


def test_a_program_that_is_not_there_is_named(settings: LocalSettings) -> None:
    spec = ProcessSpec(name=NAME, command=["/no/such/program"], folder=Path("/"))
    with pytest.raises(CodewaveError, match="probe: cannot run /no/such/program: No such file"):
        processes.start(settings, spec)


def test_the_log_of_the_start_before_is_kept(settings: LocalSettings) -> None:
    start(settings, "print('first', flush=True)")
    wait_for(lambda: processes.running_pid(settings, NAME) is None)
    start(settings, "print('second', flush=True)")
    wait_for(lambda: "second" in log(settings))
    assert processes.log_file(settings, NAME).with_name("probe.log.1").read_text() == "first\n"


def test_a_process_does_not_see_the_variables_it_must_not_see(
    settings: LocalSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEWAVE_TEST_HIDDEN", "hidden")
    start(
        settings,
        "import os; print(os.environ.get('CODEWAVE_TEST_HIDDEN'), os.environ['ADDED'], flush=True)",
        environment={"ADDED": "added"},
        without=("CODEWAVE_TEST_HIDDEN",),
    )
    wait_for(lambda: log(settings))
    assert log(settings) == "None added\n"


def test_two_clones_do_not_see_each_others_processes(settings: LocalSettings, tmp_path: Path) -> None:
    pid = start(settings, SLEEP)
    other = LocalSettings(data_folder=str(tmp_path / "other"))
    assert processes.stop(other, NAME) is False
    assert is_alive(pid)
