"""``codewave tables compact`` and the others that care for the lake's tables by hand; a DAG does it by the clock."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich import filesize

from codewave.cli.output import JsonOption, console, emit, progress_console
from codewave.local.namespace import LIVE
from codewave.local.settings import load_settings
from iceberg.maintenance_defaults import (
    COMPACT_AT_LEAST,
    JOB_DAYS,
    MANIFESTS_AT_LEAST,
    NEWEST_SNAPSHOTS,
    ORPHAN_DAYS,
    SNAPSHOT_DAYS,
    SORT_MEMORY_MB,
)

if TYPE_CHECKING:
    from iceberg.lake import Lake
    from iceberg.maintenance.compaction import Compacted
    from iceberg.maintenance.expiry import Expired
    from iceberg.maintenance.manifests import ManifestsRewritten
    from iceberg.maintenance.orphans import OrphansRemoved
    from iceberg.maintenance.retention import Retained

TablesArgument = Annotated[list[str] | None, typer.Argument(help="Default: every table that exists.", metavar="TABLE")]
NamespaceOption = Annotated[str, typer.Option(help="Namespace of the lake.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]

_Done = TypeVar("_Done")


def add_maintenance(group: typer.Typer) -> None:
    """Add the commands to ``tables``."""
    group.command("compact")(_compact)
    group.command("rewrite-manifests")(_rewrite_manifests)
    group.command("expire")(_expire)
    group.command("remove-orphans")(_remove_orphans)
    group.command("retain")(_retain)


def _compact(  # noqa: PLR0913, PLR0917 - options of one command
    tables: TablesArgument = None,
    quiet_minutes: Annotated[
        float, typer.Option(help="Only partitions to which nothing was added for so long; 0: all.")
    ] = 0,
    at_least: Annotated[int, typer.Option(help="Small files that a partition must have.")] = COMPACT_AT_LEAST,
    memory_mb: Annotated[
        int, typer.Option(help="What the sort may hold in memory; the rest goes to disk.")
    ] = SORT_MEMORY_MB,
    namespace: NamespaceOption = LIVE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make few sorted files of many small ones, partition by partition, while the stream goes on.

    Small: below three quarters of the table's `write.target-file-size-bytes`. The old files stay on disk for the
    snapshots that have them, until `tables expire`.
    """
    from iceberg.maintenance import compact

    def one(lake: "Lake", table: str) -> "Compacted":
        return compact(
            lake, table, quiet_minutes=quiet_minutes, at_least=at_least, memory_mb=memory_mb, dry_run=dry_run
        )

    emit(_each(namespace, tables, one), as_json=as_json, show=_shown(_compacted))


def _rewrite_manifests(
    tables: TablesArgument = None,
    at_least: Annotated[int, typer.Option(help="Small manifests that a table must have.")] = MANIFESTS_AT_LEAST,
    namespace: NamespaceOption = LIVE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Merge small manifests, of which every commit adds one; no row is read."""
    from iceberg.maintenance import rewrite_manifests

    def one(lake: "Lake", table: str) -> "ManifestsRewritten":
        return rewrite_manifests(lake, table, at_least=at_least, dry_run=dry_run)

    emit(_each(namespace, tables, one), as_json=as_json, show=_shown(_rewritten))


def _expire(  # noqa: PLR0913, PLR0917
    tables: TablesArgument = None,
    older_than_days: Annotated[float, typer.Option(help="Age that a snapshot must have.")] = SNAPSHOT_DAYS,
    newest: Annotated[int, typer.Option(help="How many of each branch stay whatever their age.")] = NEWEST_SNAPSHOTS,
    job_days: Annotated[float, typer.Option(help="How far back a Flink job may be resumed.")] = JOB_DAYS,
    namespace: NamespaceOption = LIVE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Expire old snapshots and remove the files that only they reached.

    The last snapshot that Flink committed stays with all after it, as do tags and branches.
    """
    from iceberg.maintenance import expire_snapshots

    def one(lake: "Lake", table: str) -> "Expired":
        return expire_snapshots(
            lake, table, older_than_days=older_than_days, newest=newest, job_days=job_days, dry_run=dry_run
        )

    emit(_each(namespace, tables, one), as_json=as_json, show=_shown(_expired))


def _remove_orphans(
    tables: TablesArgument = None,
    older_than_days: Annotated[
        float, typer.Option(help="Age that a file must have; less than 1 is refused.")
    ] = ORPHAN_DAYS,
    namespace: NamespaceOption = LIVE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove files that no snapshot reaches: what writers that died left behind.

    Age counts from the last commit that Flink made to the table: what a job that is down has yet to commit stays.
    """
    from iceberg.maintenance import remove_orphans

    def one(lake: "Lake", table: str) -> "OrphansRemoved":
        return remove_orphans(lake, table, older_than_days=older_than_days, dry_run=dry_run)

    emit(_each(namespace, tables, one), as_json=as_json, show=_shown(_removed))


def _retain(
    tables: TablesArgument = None,
    namespace: NamespaceOption = LIVE,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take rows out that are older than their table's `retention_days`, by whole partitions.

    Nobody can query them any more; on disk they are until `tables expire`.
    """
    from iceberg.maintenance import apply_retention

    def one(lake: "Lake", table: str) -> "Retained":
        return apply_retention(lake, table, dry_run=dry_run)

    emit(_each(namespace, tables, one), as_json=as_json, show=_shown(_retained))


def _each(namespace: str, tables: list[str] | None, one: Callable[["Lake", str], _Done]) -> list[_Done]:
    """Do it to each table, one after the other."""
    from iceberg.lake import local_lake

    lake = local_lake(load_settings(), namespace)
    chosen = [lake.definition(name).name for name in tables] if tables else _existing(lake)
    done = []
    for number, table in enumerate(chosen, 1):
        progress_console.print(f"{table} ({number} of {len(chosen)})", style="dim")
        done.append(one(lake, table))
    return done


def _existing(lake: "Lake") -> list[str]:
    from iceberg.apply import record_counts

    there = record_counts(lake.catalog, lake.namespace)
    return [one.name for one in lake.definitions if one.name in there]


def _shown(line: Callable[[Any], str | None]) -> Callable[[list[Any]], None]:
    """One line for each table that has something to tell."""

    def show(results: list[Any]) -> None:
        lines = [(one.table, text, one.dry_run) for one in results if (text := line(one))]
        for table, text, dry_run in lines:
            console.print(f"{table}: {'would be: ' if dry_run else ''}{text}", markup=False, soft_wrap=True)
        if not lines:
            console.print("nothing to do")

    return show


def _compacted(done: "Compacted") -> str | None:
    if not done.files_before:
        return None
    result = "" if done.dry_run else f" became {done.files_after:,}, {filesize.decimal(done.bytes_after)}"
    again = f"; started over for {done.started_over} groups of files" if done.started_over else ""
    before = (
        f"{done.files_before:,} files of {_counted(len(done.partitions), 'partition')}, "
        f"{filesize.decimal(done.bytes_before)}"
    )
    return f"{before}{result}; {done.rows:,} rows{again}"


def _rewritten(done: "ManifestsRewritten") -> str | None:
    if done.manifests_before == done.manifests_after:
        return None
    return f"{done.manifests_before:,} manifests became {done.manifests_after:,}"


def _expired(done: "Expired") -> str | None:
    if not done.snapshots:
        return None
    others = done.manifests + done.manifest_lists + done.statistics_files
    return (
        f"{done.snapshots:,} snapshots expired, {done.snapshots_kept:,} kept; {done.data_files:,} data files and "
        f"{others:,} of metadata removed: {done.list_file}"
    )


def _removed(done: "OrphansRemoved") -> str | None:
    if not done.files_removed:
        return None
    return (
        f"{done.files_removed:,} of {done.files_found:,} files removed, {filesize.decimal(done.size_bytes)}: "
        f"{done.list_file}"
    )


def _retained(done: "Retained") -> str | None:
    if not done.rows:
        return None
    return (
        f"{done.rows:,} rows taken out, {_counted(len(done.partitions), 'partition')} before "
        f"{done.before:%Y-%m-%d}: {done.partitions[0]} to {done.partitions[-1]}"
    )


def _counted(number: int, name: str) -> str:
    return f"{number:,} {name}" if number == 1 else f"{number:,} {name}s"
