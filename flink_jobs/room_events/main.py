"""Entry point of the ``room_events`` job: ``flink run -py main.py [--properties FILE]``."""

import argparse
import sys
from pathlib import Path

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

from flink_jobs.room_events.settings import Settings, SettingsError, read_settings
from flink_jobs.room_events.topology import build


def configuration_of(settings: Settings) -> Configuration:
    """Flink's options that the job itself sets."""
    configuration = Configuration()
    configuration.set_string("python.execution-mode", "thread")
    configuration.set_string("pipeline.object-reuse", "true")
    configuration.set_string("pipeline.operator-chaining.enabled", "true")  # or a checkpoint may miss state
    configuration.set_string("pipeline.auto-generate-uids", "true")
    configuration.set_string("table.local-time-zone", "UTC")
    if settings.checkpoint_interval_ms:
        configuration.set_string("execution.checkpointing.interval", f"{settings.checkpoint_interval_ms} ms")
    if settings.checkpoint_folder:
        configuration.set_string("execution.checkpointing.dir", settings.checkpoint_folder)
    return configuration


def main() -> None:
    """Read the settings, build the job and submit it."""
    arguments = argparse.ArgumentParser(prog="room_events", description=__doc__)
    arguments.add_argument("--properties", type=Path, help="file of application properties (default: Managed Flink's)")
    arguments.add_argument("--job-name", default="room_events")
    given = arguments.parse_args()
    try:
        settings = read_settings(given.properties)
    except SettingsError as error:
        sys.exit(str(error))
    env = StreamExecutionEnvironment.get_execution_environment(configuration_of(settings))
    if settings.parallelism:
        env.set_parallelism(settings.parallelism)
    tables = StreamTableEnvironment.create(env)
    build(env, tables, settings)
    env.execute(given.job_name)


if __name__ == "__main__":
    main()
