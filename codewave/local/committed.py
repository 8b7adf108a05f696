"""What the lake has committed beyond a saved state: resumed from there, the job would store it a second time.

Iceberg's sink recognises what it has committed by the job and the checkpoint. A job that is resumed from an older
state reads on from older places in the stream; what it then stores gets new numbers, and is stored again.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from codewave.errors import CodewaveError
from codewave.local.catalog import load_catalog
from codewave.local.job_properties import job_name
from codewave.local.namespace import Namespace
from codewave.local.settings import PROJECT_ROOT, LocalSettings

if TYPE_CHECKING:
    from pyiceberg.table import Table

_METADATA: Final = "_metadata"
_MAGIC: Final = bytes.fromhex("4960672d")
"""How the file begins, before its version and the checkpoint's number (Flink: ``Checkpoints.HEADER_MAGIC_NUMBER``)."""
_CHECKPOINT_AT: Final = slice(8, 16)
_JOB_ID: Final = re.compile(rb"!([0-9a-f]{32})(?![0-9a-f])")
"""A job's id as a text of its length plus 1 in front: so Iceberg's committers keep it in their state."""
_SQL: Final = PROJECT_ROOT / "flink_jobs" / "room_events" / "sql"
_SHOWN: Final = 3


class StateOrigin(Struct, frozen=True):
    """Where a saved state comes from."""

    checkpoint: int
    """Its number; savepoints count as checkpoints do."""
    job_id: str | None
    """The run that saved it; none where it has no committer."""
    completed_at: int
    """Milliseconds since epoch."""


class Commit(Struct, frozen=True):
    """The last checkpoint that a run of the job committed to a table."""

    table: str
    job_id: str
    checkpoint: int
    committed_at: int
    """Milliseconds since epoch."""

    def is_beyond(self, state: StateOrigin) -> bool:
        """Whether the table holds what came after the state.

        Numbers tell it within a run, and only there: a run that was started without a state counts from 1.
        """
        if self.job_id == state.job_id:
            return self.checkpoint > state.checkpoint
        return self.committed_at > state.completed_at


def origin_of(state: Path) -> StateOrigin:
    """Read where a savepoint or retained checkpoint comes from.

    :raises CodewaveError: if its metadata can't be read.
    """
    file = state / _METADATA
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CodewaveError(
            f"{file}: {error.strerror}; give the folder of a complete savepoint or checkpoint"
        ) from None
    if not content.startswith(_MAGIC):
        raise CodewaveError(f"{file}: is not the metadata of a savepoint or checkpoint; give another folder")
    found = _JOB_ID.search(content)
    return StateOrigin(
        checkpoint=int.from_bytes(content[_CHECKPOINT_AT], "big"),
        job_id=found[1].decode() if found else None,
        completed_at=file.stat().st_mtime_ns // 1_000_000,
    )


def commits_beyond(settings: LocalSettings, namespace: Namespace, sinks: str, state: Path) -> list[Commit]:
    """The tables of the job that hold what came after a state, each with its last commit.

    :param sinks: what the job writes.
    :raises CodewaveError: if the state's metadata can't be read, or the catalog does not answer.
    """
    tables = sorted(file.stem.removeprefix("insert_") for sink in sinks.split(",") for file in _inserts(sink))
    if not tables:
        return []
    origin, catalog = origin_of(state), load_catalog(settings)
    names = [namespace.table(table) for table in tables]
    commits = [_last_commit(catalog.load_table(name), name) for name in names if catalog.table_exists(name)]
    return [commit for commit in commits if commit and commit.is_beyond(origin)]


def refuse_older_state(settings: LocalSettings, namespace: Namespace, sinks: str, state: Path) -> None:
    """Refuse a state that the lake has gone on from.

    :raises CodewaveError: naming the tables, and what to do instead; and as :func:`commits_beyond`.
    """
    beyond = commits_beyond(settings, namespace, sinks, state)
    if not beyond:
        return
    tables = ", ".join(f"{commit.table} (checkpoint {commit.checkpoint})" for commit in beyond[:_SHOWN])
    more = f" and {len(beyond) - _SHOWN} more" if len(beyond) > _SHOWN else ""
    raise CodewaveError(
        f"{job_name(namespace, sinks)}: the lake has gone on from {state}, which is checkpoint "
        f"{origin_of(state).checkpoint}: {tables}{more}; resumed from there, the job would store events a second time. "
        "Resume from the newest state with `codewave job resume`, or accept that with --store-again"
    )


def _inserts(sink: str) -> list[Path]:
    """The statements that write to the lake's tables: none for the search indices, which take a document twice."""
    return [] if sink == "search" else list((_SQL / sink).glob("insert_*.sql"))


def _last_commit(table: "Table", name: str) -> Commit | None:
    """The last snapshot that Flink made; maintenance may have made others since."""
    from pyiceberg.table.snapshots import ancestors_of

    for snapshot in ancestors_of(table.current_snapshot(), table.metadata):
        told = snapshot.summary.additional_properties if snapshot.summary else {}
        job_id, checkpoint = told.get("flink.job-id"), told.get("flink.max-committed-checkpoint-id")
        if job_id and checkpoint:
            return Commit(name, job_id, int(checkpoint), snapshot.timestamp_ms)
    return None
