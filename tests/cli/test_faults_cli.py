"""``codewave faults``: what it says before it makes any fault."""

import json

import pytest
from typer.testing import CliRunner, Result

from codewave.cli.app import app
from codewave.errors import WrongUseError
from codewave.faults.catalogue import FAULTS


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["faults", *words])


def test_the_list_names_every_fault():
    listed = json.loads(run("--list", "--json").stdout)
    assert [one["name"] for one in listed] == [fault.name for fault in FAULTS]


def test_a_dry_run_prints_the_same_schedule_for_the_same_seed():
    first, again, other = (run("--dry-run", "--json", "--seed", seed).stdout for seed in ("1", "1", "2"))
    assert first == again != other
    assert {one["fault"] for one in json.loads(first)["faults"]} <= {fault.name for fault in FAULTS}


def test_only_the_chosen_faults_are_scheduled():
    shown = json.loads(run("--dry-run", "--json", "--only", "rescale,kill-cluster").stdout)
    assert {one["fault"] for one in shown["faults"]} == {"rescale", "kill-cluster"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--minutes", "0"], "--minutes 0: must be more than 0"),
        (["--minutes", "nan"], "--minutes nan: must be more than 0"),
        (["--rooms", "0"], "--rooms 0: must be 1 or more"),
        (["--rate", "0"], "--rate 0: must be more than 0"),
        (["--rooms", "1", "--rate", "1e9"], "--rooms 1: too few"),
        (["--only", "nonsense"], "--only nonsense: no such fault; faults: kill-task-manager"),
    ],
)
def test_wrong_use_is_named_before_anything_starts(words: list[str], told: str):
    error = run(*words, "--dry-run").exception
    assert isinstance(error, WrongUseError)
    assert str(error).startswith(told)
