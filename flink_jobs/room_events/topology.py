"""The job's shape: what flows where.

::

    records (Kinesis) ─┬─► raw_records
                       └─► key by room ─► flush ─► RoomEvents (Python) ═► split ─► explode ─┬─► lake tables
                                                                                            └─► search indices

``═►`` goes to another thread: Python takes in the next records while rows are made and written.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pyflink.common import Types
from pyflink.datastream import DataStream, KeyedStream, StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from flink_jobs.room_events.room_operator import RoomEvents
from flink_jobs.room_events.settings import Settings
from flink_jobs.room_events.statements import Statements
from flink_jobs.room_events.uids import assign_uids
from udfs.rows import LAKE_OUTPUTS, OUTPUTS, SEARCH_OUTPUTS
from udfs.rowtype import row_type

SHARED_OUTPUTS: Final = frozenset({"chat_messages", "execution_logs", "quarantined_events", "sequence_gaps"})
"""Lake outputs that the search indices show as well."""
SQL: Final = Path(__file__).parent / "sql"


def build(
    env: StreamExecutionEnvironment, tables: StreamTableEnvironment, settings: Settings, folders: Sequence[Path] = ()
) -> None:
    """Lay out the job in ``env``: its sources, the keyed operator and one INSERT per table and index.

    :param folders: of statements that take the place of the job's own, such as another source or sink.
    """
    sql = Statements(env, tables, settings, [*folders, SQL])
    sql.declare("source/records.sql")
    records = tables.to_data_stream(tables.from_path("records"))
    assign_uids(records, "records")
    tables.create_temporary_view("archived", tables.from_data_stream(records))
    if settings.wants("raw") or settings.wants("lake"):
        sql.declare("source/catalog.sql")

    if settings.wants("raw"):
        sql.insert("raw")
    outputs = _wanted_outputs(settings)
    if outputs:
        sequenced = _split(_sequence(_by_room(tables), outputs, settings))
        for output in sorted(outputs):
            tables.create_temporary_view(output, tables.from_data_stream(_explode(sequenced, output)))
    if settings.wants("lake"):
        sql.insert("lake")
    if settings.wants("search"):
        sql.insert("search")


def _wanted_outputs(settings: Settings) -> frozenset[str]:
    lake = LAKE_OUTPUTS.keys() if settings.wants("lake") else ()
    search = SEARCH_OUTPUTS.keys() | SHARED_OUTPUTS if settings.wants("search") else ()
    return frozenset({*lake, *search})


def _by_room(tables: StreamTableEnvironment) -> KeyedStream:
    """Key the records by room on the JVM: a Python key selector costs as much as decoding the record."""
    tables.create_java_temporary_function("room_key", "dev.codewave.roomevents.RoomKey")
    record = Types.ROW([Types.PRIMITIVE_ARRAY(Types.BYTE()), Types.STRING(), Types.STRING(), Types.LONG()])
    keyed = tables.sql_query("""
        SELECT
          room_key(data),
          ROW(
            data,
            shard_id,
            sequence_number,
            EXTRACT(EPOCH FROM arrived_at) * 1000 + EXTRACT(MILLISECOND FROM arrived_at)
          )
        FROM archived
    """)
    stream = tables.to_append_stream(keyed, Types.ROW([Types.STRING(), record]))
    assign_uids(stream, "keyed")
    stream = _with_clock(stream)
    # The source emits from its own threads, which must not enter Python: the shuffle by key separates them.
    selector, room = get_gateway().jvm.KeyByKeySelector(), Types.ROW([Types.STRING()]).get_java_type_info()
    shuffled = stream._j_data_stream.keyBy(selector, room)
    j_keyed = _streams().DataStreamUtils.reinterpretAsKeyedStream(_flush(shuffled), selector, room)
    return KeyedStream(j_keyed, record, stream)


def _flush(shuffled: Any) -> Any:
    """Have the Python operator write its state right before a checkpoint.

    In one chain with it, or a checkpoint may miss state. Not on the keyed stream: that would give it state of its own.
    """
    stream = _streams().DataStream(shuffled.getExecutionEnvironment(), shuffled.getTransformation())
    operator = get_gateway().jvm.dev.codewave.roomevents.CheckpointFlush()
    return stream.transform("checkpoint-flush", stream.getType(), operator).uid("checkpoint-flush")


def _streams() -> Any:
    return get_gateway().jvm.org.apache.flink.streaming.api.datastream


def _sequence(records: KeyedStream, outputs: frozenset[str], settings: Settings) -> DataStream:
    operator = RoomEvents(settings.rules(), outputs, settings.state_ttl_days, settings.isolation())
    batches = Types.PRIMITIVE_ARRAY(Types.BYTE())
    return records.process(operator, output_type=batches).name("room-events").uid("room-events")


def _with_clock(records: DataStream) -> DataStream:
    """Send the wall clock along: it tells the operator whether it has taken in all that was sent."""
    clock = get_gateway().jvm.dev.codewave.roomevents.SourceClock()
    clocked = records._j_data_stream.assignTimestampsAndWatermarks(clock)
    return DataStream(clocked.name("source-clock").uid("source-clock"))


def _split(batches: DataStream) -> DataStream:
    """Take the records' batches apart, in a chain, so a thread, of its own; the first map stays with Python."""
    java = get_gateway().jvm.dev.codewave.roomevents
    mended = batches._j_data_stream.map(java.PythonStart()).name("python-start").uid("python-start")
    return DataStream(mended.flatMap(java.BatchSplitter()).startNewChain().name("split").uid("split"))


def _explode(batches: DataStream, output: str) -> DataStream:
    exploder = get_gateway().jvm.dev.codewave.roomevents.RowExploder(output, row_type(OUTPUTS[output]))
    return DataStream(batches._j_data_stream.flatMap(exploder).name(f"explode-{output}").uid(f"explode-{output}"))
