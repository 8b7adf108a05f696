"""The pipeline's own job, reading a recorded stream in the stream's place."""

from bench.flink.submission import begin
from flink_jobs.room_events.topology import build


def main() -> None:
    """Submit the job."""
    job = begin()
    job.statements.declare("source/recorded.sql")
    build(job.env, job.tables, job.settings, job.folders)
    job.env.execute(job.name)


if __name__ == "__main__":
    main()
