"""The engine of Airflow's database on this machine, which is SQLite: what begins by reading may write in the end.

Airflow loads it by ``airflow_local_settings`` in its home.
"""

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

__all__ = ["create_metadata_engine"]  # what Airflow takes from its local settings


def create_metadata_engine(
    sql_alchemy_conn: str, *, engine_args: dict[str, Any], connect_args: dict[str, Any]
) -> Engine:
    """Make the engine; called by Airflow in place of its own function of this name.

    A transaction that SQLite begins at a savepoint, as Airflow's backfills do, may only read at first. When it then
    writes, and another process has written since, it fails at once with "database is locked", however long it may wait
    for locks (SQLITE_BUSY_SNAPSHOT, https://www.sqlite.org/rescode.html#busy_snapshot). One that is begun as a writer's
    waits for its turn instead.

    :param sql_alchemy_conn: URL of the database.
    :param engine_args: of SQLAlchemy's ``create_engine``.
    :param connect_args: of the driver's ``connect``.
    """
    engine = create_engine(sql_alchemy_conn, connect_args=connect_args, **engine_args)
    event.listen(engine, "savepoint", _begin_as_writer)
    return engine


def _begin_as_writer(connection: Connection, _savepoint: str) -> None:
    if not connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
        connection.exec_driver_sql("BEGIN IMMEDIATE")
