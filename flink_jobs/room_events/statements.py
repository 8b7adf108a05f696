"""The job's SQL files: one statement each, with the settings filled in and a stable uid on every operator."""

from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Final

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

from flink_jobs.room_events.settings import Settings
from flink_jobs.room_events.uids import assign_uids


class Statements:
    """Runs the ``.sql`` files of the job: ``$name`` in them stands for a setting.

    :param folders: of the files; where several have a file of one name, the first counts.
    """

    def __init__(
        self,
        env: StreamExecutionEnvironment,
        tables: StreamTableEnvironment,
        settings: Settings,
        folders: Sequence[Path],
    ) -> None:
        self._env = env
        self._tables = tables
        self._folders = folders
        self._values = _values(settings)

    def declare(self, file: str) -> None:
        """Run one ``CREATE`` statement."""
        self._tables.execute_sql(self.read(file))

    def read(self, file: str) -> str:
        """The text of a statement, with the settings filled in."""
        paths = [folder / file for folder in self._folders]
        path = next((path for path in paths if path.exists()), paths[-1])
        return Template(path.read_text(encoding="utf-8")).substitute(self._values)

    def insert(self, sink: str) -> None:
        """Add the INSERTs of a sink's folder to the job, after the ``CREATE`` statements beside them.

        Each INSERT is attached alone and its operators get uids that carry its name, so that adding or removing
        another one leaves their state where it is; Flink's own ids count along the whole plan.
        """
        for name in self._names(sink, "create_"):
            self.declare(f"{sink}/create_{name}.sql")
        for name in self._names(sink, "insert_"):
            statement = self._tables.create_statement_set()
            statement.add_insert_sql(self.read(f"{sink}/insert_{name}.sql"))
            statement.attach_as_datastream()
            assign_uids(self._env, f"{sink}.{name}")

    def _names(self, sink: str, prefix: str) -> list[str]:
        files = [file for folder in self._folders for file in (folder / sink).glob(f"{prefix}*.sql")]
        return sorted({file.stem.removeprefix(prefix) for file in files})


def _values(settings: Settings) -> dict[str, str]:
    """Every setting as SQL text, and the groups of options that depend on where the job runs."""
    values = {name: _quoted(str(getattr(settings, name))) for name in settings.__struct_fields__}
    return values | {
        "stream_options": _options(_stream_options(settings)),
        "catalog_options": _options(_catalog_options(settings)),
        "search_options": _options(_search_options(settings)),
    }


RECORDS_A_READ: Final = 1_000
"""Of one GetRecords, five times a second: a shard takes a thousand records a second (AWS, Kinesis quotas), so a reader
that is behind catches up. With the connector's 10,000, one call keeps the local emulator from everybody for seconds."""


def _stream_options(settings: Settings) -> dict[str, str]:
    options = {
        "stream": settings.stream_name,
        "aws.region": settings.stream_region,
        "scan.shard.getrecords.maxrecordcount": str(RECORDS_A_READ),
    }
    if settings.stream_endpoint:
        options["aws.endpoint"] = settings.stream_endpoint
    if settings.stream_credentials == "basic":
        options |= {
            "aws.credentials.provider": "BASIC",
            "aws.credentials.basic.accesskeyid": "local",
            "aws.credentials.basic.secretkey": "local",
        }
    start = {"earliest": "TRIM_HORIZON", "latest": "LATEST"}.get(settings.stream_start, "AT_TIMESTAMP")
    options["scan.stream.initpos"] = start
    if start == "AT_TIMESTAMP":
        seconds = f"{int(settings.stream_start) / 1000:.3f}"
        options["scan.stream.initpos-timestamp"] = seconds
    return options


def _catalog_options(settings: Settings) -> dict[str, str]:
    # Iceberg's own catalogs may commit a checkpoint twice where an answer is late: docs/decisions/0014.
    options = {"catalog-impl": "dev.codewave.lake.OnceCatalog", "warehouse": settings.warehouse}
    if settings.catalog_type == "glue":
        return options | {
            "once.catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
            "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        }
    return options | {"once.catalog-impl": "org.apache.iceberg.rest.RESTCatalog", "uri": settings.catalog_uri}


SEARCH_RETRIES: Final = 10
"""Of documents and requests that OpenSearch rejects as too many (429): after 100 ms, 110 ms … 13.5 s, 25 s in all.

Then the job starts again from its checkpoint, as it does at once where OpenSearch does not answer or answers with any
other error that is not about a document's content.
"""
SEARCH_CONNECT_TIMEOUT_S: Final = 5
SEARCH_ANSWER_TIMEOUT_S: Final = 90
"""Longer than the minute that OpenSearch itself waits for a shard: what it still works on is not sent again."""


def _search_options(settings: Settings) -> dict[str, str]:
    options = {
        "connector": "codewave-search",
        "refused-index": f"{settings.index_prefix}refused-",
        "hosts": settings.search_url,
        "format": "json",
        "json.encode.ignore-null-fields": "true",
        "json.timestamp-format.standard": "ISO-8601",
        "sink.delivery-guarantee": "at-least-once",
        "sink.bulk-flush.interval": f"{settings.search_flush_ms}ms",
        "sink.bulk-flush.max-actions": str(settings.search_flush_actions),
        # All three or none: the connector ignores a strategy without the other two.
        "sink.bulk-flush.backoff.strategy": "EXPONENTIAL",
        "sink.bulk-flush.backoff.max-retries": str(SEARCH_RETRIES),
        "sink.bulk-flush.backoff.delay": "100ms",
        # The connector takes the seconds of these two for milliseconds.
        "connection.timeout": f"{SEARCH_CONNECT_TIMEOUT_S * 1000}s",
        "socket.timeout": f"{SEARCH_ANSWER_TIMEOUT_S * 1000}s",
    }
    if settings.search_user:
        options |= {"username": settings.search_user, "password": settings.search_password}
    if settings.search_allow_insecure:
        options["allow-insecure"] = "true"
    return options


def _options(options: dict[str, str]) -> str:
    return ",\n  ".join(f"'{key}' = '{_quoted(value)}'" for key, value in options.items())


def _quoted(text: str) -> str:
    return text.replace("'", "''")
