"""Every promise of the guarantees page is backed by tests that exist, and no table or index is left out."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_a_test_that_backs_a_promise_exists(file: str, test: str):
    names = {node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.FunctionDef)}
    assert test in names if test else any(name.startswith("test_") for name in names)


def test_every_promise_in_a_table_names_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "backed by" not in line]
    assert [row for row in rows if "`tests/" not in row] == []


@pytest.mark.parametrize("table", sorted(folder.parent.name for folder in (ROOT / "iceberg").glob("*/table.yml")))
def test_every_table_has_its_row(table: str):
    assert re.search(rf"^\| [^|]*`{table}`", PAGE, re.MULTILINE)


@pytest.mark.parametrize("index", sorted(file.stem for file in (ROOT / "opensearch" / "templates").glob("*.json")))
def test_every_index_has_its_row(index: str):
    assert re.search(rf"^\| [^|]*`{index}(-…)?`", PAGE, re.MULTILINE)
