"""The same task in Flink SQL alone: JSON format, ``ROW_NUMBER`` deduplication, one INSERT per table."""

from typing import Final

from bench.flink.submission import begin, insert_deduplicated

STATE_TTL: Final = "35 d"
"""As long as the pipeline's own state lives (``state_ttl_days``)."""


def main() -> None:
    """Submit the job."""
    job = begin()
    job.tables.get_config().set("table.exec.state.ttl", STATE_TTL)
    job.statements.declare("source/files.sql")
    job.statements.declare("source/events.sql")
    job.statements.declare("source/deduplicated.sql")
    insert_deduplicated(job)


if __name__ == "__main__":
    main()
