"""The operators' catalogue of metrics names what the code exports and shows, all of it, and nothing else as ours."""

import re
from pathlib import Path

from codewave.local.job_status import READS
from flink_jobs.room_events.metrics import NAMES, PROCESS_DELAY

PAGE = Path(__file__).parents[2] / "docs" / "operator" / "metrics.md"
OURS, THEIRS = "Ours", "Flink's and the connectors'"
COLUMNS = 4
"""Name, unit, meaning, alarm."""


def catalogue(section: str) -> dict[str, list[str]]:
    """Name → the other columns, of one section's tables."""
    text = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert text, f"{PAGE} has no section {section!r}"
    rows = [line.strip("|").split("|") for line in text[1].splitlines() if line.startswith("| `")]
    return {name: [column.strip() for column in rest] for first, *rest in rows for name in re.findall("`(.+?)`", first)}


def test_the_catalogue_names_every_metric_of_ours_and_no_other():
    assert sorted(catalogue(OURS)) == sorted(NAMES)


def test_the_catalogue_names_every_metric_that_job_status_shows():
    shown = {PROCESS_DELAY if name.startswith(f"{PROCESS_DELAY}_") else name for name in READS}
    assert shown <= {*catalogue(OURS), *catalogue(THEIRS)}


def test_every_row_says_unit_meaning_and_when_to_worry():
    for name, columns in (catalogue(OURS) | catalogue(THEIRS)).items():
        assert len(columns) == COLUMNS - 1, name
        assert all(columns), name
