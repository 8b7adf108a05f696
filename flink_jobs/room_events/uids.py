"""Stable uids for the operators that the SQL planner makes, so that state finds its operator after a change.

Flink derives an id from an operator's place in the whole plan: one more INSERT would shift the ids, and with them
lose the state, of others. Here each operator is named after the statement that made it.
"""

from typing import Any

from pyflink.datastream import DataStream, StreamExecutionEnvironment


def assign_uids(source: DataStream | StreamExecutionEnvironment, prefix: str) -> None:
    """Give a uid, ``prefix/operator/number``, to every operator up to ``source`` that has none yet."""
    used: dict[str, int] = {}
    for transformation in _upstream(source):
        if transformation.getUid() is None and "Partition" not in transformation.getClass().getSimpleName():
            name = str(transformation.getName()).split("(", 1)[0].split("[", 1)[0].strip()
            used[name] = used.get(name, 0) + 1
            transformation.setUid(f"{prefix}/{name}/{used[name]}")


def _upstream(source: DataStream | StreamExecutionEnvironment) -> list[Any]:
    if isinstance(source, DataStream):
        waiting = [source._j_data_stream.getTransformation()]
    else:
        waiting = list(source._j_stream_execution_environment.getTransformations())
    found: dict[int, Any] = {}
    while waiting:
        transformation = waiting.pop()
        if transformation.getId() not in found:
            found[transformation.getId()] = transformation
            waiting.extend(transformation.getInputs())
    return [found[number] for number in sorted(found)]
