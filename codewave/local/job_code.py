"""The code of a job: a copy per version, so that a running job is not touched by edits."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from codewave.local.settings import PROJECT_ROOT, LocalSettings

MAIN: Final = Path("flink_jobs/room_events/main.py")
"""The job's entry point inside its code."""

_PARTS: Final = ("udfs", "flink_jobs", "codewave/__init__.py", "codewave/errors.py", "codewave/contract")
_LEFT_OUT: Final = frozenset({"__pycache__", "connectors"})
_RECORD: Final = "code.json"


class CodeInProcesses(Struct, frozen=True):
    """Which code the TaskManagers' Python interpreters have loaded: they keep modules until the process ends."""

    code: str
    processes: frozenset[int]
    """Process ids of the TaskManagers at that time."""


def copy_code(folder: Path, root: Path = PROJECT_ROOT) -> Path:
    """Copy what the job imports to ``folder/<hash of the content>``.

    :returns: the copy, which is there already if nothing has changed.
    """
    files = sorted(_files(root))
    copy = folder / _digest(root, files)
    if not copy.exists():
        unfinished = copy.with_suffix(".tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        for file in files:
            target = unfinished / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / file, target)
        unfinished.rename(copy)
    return copy


def read_record(flink_folder: Path) -> CodeInProcesses | None:
    """Return what the last job left in the TaskManagers, if any job ran."""
    file = flink_folder / _RECORD
    return msgspec.json.decode(file.read_bytes(), type=CodeInProcesses) if file.exists() else None


def write_record(flink_folder: Path, record: CodeInProcesses) -> None:
    """Remember which code the TaskManagers are about to load."""
    (flink_folder / _RECORD).write_bytes(msgspec.json.encode(record))


def is_stale(record: CodeInProcesses | None, code: str, processes: set[int]) -> bool:
    """Whether a TaskManager among ``processes`` still holds modules of other code than ``code``."""
    return record is not None and record.code != code and not record.processes.isdisjoint(processes)


def job_folder(settings: LocalSettings, name: str) -> Path:
    """Where the job's properties, code and record are; only its owner may look in."""
    folder = settings.data / "jobs" / name
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def _files(root: Path) -> Iterator[Path]:
    for part in _PARTS:
        path = root / part
        for file in [path] if path.is_file() else path.rglob("*"):
            relative = file.relative_to(root)
            if file.is_file() and _LEFT_OUT.isdisjoint(relative.parts):
                yield relative


def _digest(root: Path, files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        content = (root / file).read_bytes()
        digest.update(f"{file}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]
