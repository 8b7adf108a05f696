"""``codewave faults`` as a person runs it: faults strike, everything is stored, and it says so."""

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from codewave.local import stack
from codewave.local.job_properties import job_name
from codewave.local.job_status import job_status
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings

pytestmark = pytest.mark.system

CHOSEN = ("kill-task-manager", "stop-and-resume", "skew-clocks")
DEADLINE_S = 500


def start(settings: LocalSettings, *words: str) -> subprocess.Popen[str]:
    """The command, on the stack that all system tests share."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CODEWAVE_")}
    names = ("data_folder", "port_offset", "task_managers", "checkpoint_interval_ms")
    ours = {f"CODEWAVE_{name.upper()}": str(getattr(settings, name)) for name in names}
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Where the tests run in the background, the command would be deaf to Ctrl-C as well.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command = [sys.executable, "-c", "from codewave.cli.app import main; main()", "faults", "--json", *words]
    return subprocess.Popen(command, env=kept | ours, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[dict[str, Any], str]:
    told, progress = process.communicate(timeout=DEADLINE_S)
    assert told, progress
    return json.loads(told), progress


def test_faults_strike_by_schedule_and_make_no_difference(shared_stack: LocalSettings) -> None:
    process = start(shared_stack, "--seed", "1", "--minutes", "1.5", "--rate", "300", "--only", ",".join(CHOSEN))
    result, progress = ended(process)

    assert process.returncode == 0, progress
    assert (result["difference"], result["closes"], result["problems"]) == (0, True, [])
    assert result["sent"] == result["stored"] > 0
    assert result["quarantined"] > 0
    assert result["seed"] == 1
    assert {fault["name"] for fault in result["faults"]} == set(CHOSEN)
    for fault in result["faults"]:
        assert fault["did"] in progress
    assert stack.status(shared_stack).up
    assert [job.state for job in job_status(shared_stack, Namespace("faults"))] == ["CANCELED"]


def test_ctrl_c_heals_stores_what_was_sent_and_reports(shared_stack: LocalSettings) -> None:
    process = start(shared_stack, "--minutes", "60", "--rate", "300", "--only", "freeze-task-manager")
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if "freeze-task-manager for" in line and " sent, " in line:
            break
    time.sleep(1.0)  # it is frozen now
    process.send_signal(signal.SIGINT)
    result, progress = ended(process)

    assert process.returncode == 1, "".join(seen) + progress
    assert (result["interrupted"], result["difference"], result["closes"]) == (True, 0, True)
    assert result["sent"] == result["stored"] > 0
    assert [fault["name"] for fault in result["faults"]] == ["freeze-task-manager"]
    assert stack.status(shared_stack).up


def test_it_refuses_to_strike_under_another_job(shared_stack: LocalSettings, fresh_namespace: Namespace) -> None:
    from codewave.local.jobs import start_job

    start_job(shared_stack, fresh_namespace, parallelism=1)
    process = start(shared_stack, "--minutes", "1")
    told, progress = process.communicate(timeout=DEADLINE_S)

    assert (process.returncode, told) == (1, "")
    assert f"faults: {job_name(fresh_namespace, 'raw,lake,search')} runs on this stack" in progress
    assert job_status(shared_stack, fresh_namespace)[0].state == "RUNNING"
