"""Files under a table's location: which there are, and removing them."""

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct
from pyarrow.fs import FileInfo, FileSelector, FileType
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table

from codewave.errors import CodewaveError
from iceberg.lake import Lake

_AT_ONCE: Final = 8
"""Removals at a time: an object store answers each in some 30 ms."""
_LISTS: Final = 20


class StoredFile(Struct, frozen=True):
    """A file as the storage lists it."""

    path: str
    """As :func:`plain_path` gives it."""
    changed_at: datetime
    size_bytes: int


def plain_path(location: str) -> str:
    """A location without its scheme: one file may be named ``file:/a``, ``file:///a`` or ``/a``, ``s3://`` or ``s3a://``."""
    return PyArrowFileIO.parse_location(location)[2]


def is_under(location: str, folder: str) -> bool:
    """Whether a file is in a folder or in one below."""
    return plain_path(location).startswith(plain_path(folder).rstrip("/") + "/")


def list_files(table: Table) -> list[StoredFile]:
    """Every file under the table's location.

    :raises CodewaveError: where the table's storage can't be listed.
    """
    io = table.io
    if not isinstance(io, PyArrowFileIO):
        raise CodewaveError(f"{'.'.join(table.name())}: its files can't be listed by {type(io).__name__}")
    scheme, netloc, path = io.parse_location(table.location())
    found = io.fs_by_scheme(scheme, netloc).get_file_info(FileSelector(path, recursive=True))
    return [_stored(info) for info in found if info.type == FileType.File]


def _stored(info: FileInfo) -> StoredFile:
    return StoredFile(info.path, info.mtime, info.size)


def delete_files(io: FileIO, locations: Iterable[str]) -> list[str]:
    """Remove files; those that are gone already are no error, as two runs may meet.

    :returns: what was removed.
    """
    wanted = list(locations)
    if not wanted:
        return []
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        removed = threads.map(_remover(io), wanted)
        return [location for location, done in zip(wanted, removed, strict=True) if done]


def _remover(io: FileIO) -> Callable[[str], bool]:
    def remove(location: str) -> bool:
        try:
            io.delete(location)
        except FileNotFoundError:
            return False
        return True

    return remove


def write_list(lake: Lake, table: str, what: str, locations: Sequence[str], *, dry_run: bool) -> str | None:
    """Write down, before it happens, which files are removed; the last lists of each kind are kept.

    :returns: the list's path; none for no files.
    """
    if not locations:
        return None
    folder = lake.state / "removed-files"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{lake.namespace.table(table)}-{what}{'-dry-run' if dry_run else ''}"
    path = folder / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.txt"
    path.write_text("".join(f"{one}\n" for one in locations), encoding="utf-8")
    for old in sorted(folder.glob(f"{name}-2*.txt"))[:-_LISTS]:
        old.unlink(missing_ok=True)
    return str(path)


def own_files(table: Table, locations: Collection[str]) -> list[str]:
    """Those under the table's location: a file that was added from elsewhere belongs to somebody else."""
    return sorted(one for one in locations if is_under(one, table.location()))
