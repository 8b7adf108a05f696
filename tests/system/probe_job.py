"""A small job for tests of the cluster: counts numbers per key in Python, thread mode, and writes each count once.

It reads the same properties as the room_events job, and ``fail`` (a message to fail with while starting).
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyflink.common import Configuration, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor
from pyflink.table import StreamTableEnvironment

KEYS = 10


class Count(KeyedProcessFunction):
    """Passes (key, how many came with that key)."""

    def __init__(self, failure: str) -> None:
        self._failure = failure

    def open(self, runtime_context: RuntimeContext) -> None:
        if self._failure:
            raise ValueError(self._failure)
        self._count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[tuple[int, int]]:  # noqa: ARG002
        count = (self._count.value() or 0) + 1
        self._count.update(count)
        yield value[0] % KEYS, count


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--properties", type=Path)
    arguments.add_argument("--job-name")
    given = arguments.parse_args()
    properties = json.loads(given.properties.read_text())[0]["PropertyMap"]
    configuration = Configuration()
    configuration.set_string("python.execution-mode", "thread")
    configuration.set_string("execution.checkpointing.interval", f"{properties['checkpoint_interval_ms']} ms")
    configuration.set_string("execution.checkpointing.dir", properties["checkpoint_folder"])
    # Unchained, the ids that Flink gives to operators do not depend on the parallelism.
    configuration.set_string("pipeline.operator-chaining.enabled", "false")
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    tables = StreamTableEnvironment.create(env)
    tables.execute_sql("""
        CREATE TABLE numbers (n BIGINT) WITH (
          'connector' = 'datagen', 'rows-per-second' = '100',
          'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '1000000')""")
    tables.execute_sql(f"""
        CREATE TABLE counts (k BIGINT, c BIGINT) WITH (
          'connector' = 'filesystem', 'path' = '{properties["output"]}', 'format' = 'csv',
          'sink.rolling-policy.rollover-interval' = '1 s', 'sink.rolling-policy.check-interval' = '1 s')""")
    numbers = tables.to_data_stream(tables.from_path("numbers"))
    keyed = numbers.key_by(lambda row: row[0] % KEYS, key_type=Types.LONG())
    counted = keyed.process(Count(properties.get("fail", "")), Types.TUPLE([Types.LONG(), Types.LONG()]))
    tables.create_temporary_view("counted", tables.from_data_stream(counted).alias("k", "c"))
    statements = tables.create_statement_set()
    statements.add_insert_sql("INSERT INTO counts SELECT k, c FROM counted")
    statements.attach_as_datastream()
    env.execute(given.job_name)


if __name__ == "__main__":
    main()
