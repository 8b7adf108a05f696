"""``python -m bench``: what it says before it measures anything."""

import subprocess
import sys

from codewave.local.settings import PROJECT_ROOT


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=PROJECT_ROOT, timeout=60, check=False)


def test_the_short_mode_lists_what_is_compared_and_the_full_mode_more():
    short, full = (bench("--list", *option).stdout.splitlines() for option in ([], ["--full"]))
    assert {"bytewax", "functions", "decode", "postgres"} <= {line.split()[1] for line in short}
    assert set(short) < set(full)


def test_a_wrong_name_is_told_in_one_line_with_the_right_ones():
    answer = bench("--only", "functions,oracle")
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.strip().startswith("bench: no contender oracle; there are bytewax, decode, functions")
    assert "Traceback" not in answer.stderr


def test_a_suite_of_the_full_mode_may_be_asked_for_by_its_name():
    lines = bench("--list", "--only", "latency").stdout.splitlines()
    assert "latency" in {line.split()[0] for line in lines}
    assert "latency" not in {line.split()[0] for line in bench("--list").stdout.splitlines()}


def test_contenders_that_need_opensearch_are_left_to_the_full_mode_unless_named():
    short = bench("--list").stdout
    assert "ours-iceberg " in short
    assert "ours-iceberg-search" not in short
    assert "ours-iceberg-search" in bench("--list", "--only", "ours-iceberg-search").stdout


def test_the_derived_tables_are_measured_only_where_they_are_named():
    suites = {line.split()[0] for line in bench("--list", "--full").stdout.splitlines()}
    assert {"side_by_side", "scaling", "memory", "latency", "state"} == suites
    assert "derived_day" in bench("--list", "--full", "--only", "derived_day").stdout
