"""The query that the page on executions gives, run as it stands there."""

from pathlib import Path

from example_lake import ExampleLake
from example_rooms import finished, output, queued, started

PAGE = Path(__file__).parents[2] / "docs" / "executions.md"


def test_the_query_of_the_page_gives_the_latest_revision_of_each_execution_once(tmp_path: Path) -> None:
    lake = ExampleLake(tmp_path)
    lake.take(started(1), output(2), finished(3), queued(1, execution="run-2"), finished(2, execution="run-2"))
    lake.take(finished(4, "failed", cpu_ms=7))
    query = PAGE.read_text(encoding="utf-8").partition("```sql\n")[2].partition("```")[0]
    result = lake.engine().query(query)
    rows = [dict(zip(result.columns, row, strict=True)) for row in result.rows]
    found = {row["execution_id"]: (row["revision"], row["outcome"], row["cpu_ms"], row["decided_by"]) for row in rows}
    assert len(rows) == 2
    assert found == {"run-1": (2, "failed", 7, "event"), "run-2": (1, "succeeded", 120, "event")}
