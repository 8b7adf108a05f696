"""``codewave billing``: what it prints, for people and for machines, and its exit codes."""

import json
from typing import Any, get_args

import pytest
from billing_lake import FIRST, BillingLake
from typer.testing import CliRunner, Result

from codewave.cli import billing
from codewave.cli.app import app
from codewave.errors import WrongUseError
from codewave.local.settings import PROJECT_ROOT
from iceberg.billing import CloseRefusedError
from iceberg.billing.refusal import Reason


@pytest.fixture
def command(lake: BillingLake, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(billing, "_lake", lambda _: lake.lake)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["billing", *arguments])

    return run


def test_a_day_is_closed_verified_and_told_of(command: Any) -> None:
    closed = command("close", "2026-01-01", "--json")
    seal = json.loads(closed.stdout)
    assert (closed.exit_code, seal["day"], seal["executions"], seal["cpu_ms"]) == (0, "2026-01-01", 2, 240)
    verified = command("verify", "--json")
    assert (verified.exit_code, json.loads(verified.stdout)["head"]) == (0, seal["hash"])
    status = json.loads(command("status", "--json").stdout)
    assert (status["sealed_days"], status["next_day"]) == (1, "2026-01-02")
    assert "sealed at" in command("close", "2026-01-01").stdout
    assert "every one matches" in command("verify").stdout
    assert "can be closed" in command("status").stdout


def test_a_refusal_is_exit_code_1_with_its_reasons(command: Any, lake: BillingLake) -> None:
    lake.remove("executions", execution_id="run-1")
    refused = command("close", "2026-01-01", "--json")
    answer = json.loads(refused.stdout)
    assert (refused.exit_code, answer["sealed"]) == (1, False)
    assert [one["reason"] for one in answer["refusals"]] == ["ledger_outdated", "usage_differs"]
    assert isinstance(command("close", "2026-01-01").exception, CloseRefusedError)
    assert "ledger_outdated" in command("status").stdout


def test_a_changed_day_is_exit_code_1_with_the_day(command: Any, lake: BillingLake) -> None:
    lake.close(FIRST)
    lake.change("executions", "cpu_ms", 1, execution_id="run-1")
    verified = command("verify")
    assert verified.exit_code == 1
    assert "2026-01-01: cpu_ms is 121 in the ledger and 240 in the seal" in verified.stdout


def test_what_is_not_a_day_is_wrong_use(command: Any) -> None:
    assert isinstance(command("close", "yesterday").exception, WrongUseError)


def test_the_operators_page_explains_every_reason() -> None:
    page = (PROJECT_ROOT / "docs" / "operator" / "billing.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert rows == set(get_args(Reason))
