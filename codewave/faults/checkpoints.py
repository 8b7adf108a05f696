"""Faults of the folder of checkpoints: its disk is full, or it can't be written to."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from codewave.errors import CodewaveError
from codewave.faults.fault import Fault, Scene
from codewave.local import flink, processes
from codewave.local.saved_states import checkpoint_folder
from codewave.local.settings import LocalSettings

FAULT_S: Final = 20.0
"""Several checkpoints long."""

_SPARE_MB: Final = 16
"""Room on the small disk beside what is there, for what is under way before it is filled."""
_BLOCK: Final = bytes(64 * 1024)
_REFILL_S: Final = 0.02
_QUIET_DEADLINE_S: Final = 30.0
_POLL_S: Final = 0.02
_PROC: Final = Path("/proc")
_STOPPED: Final = "T"


@contextmanager
def small_disk(settings: LocalSettings, folder: Path) -> Iterator[Path]:
    """Put a folder that the cluster writes to on a file system of its own, a little larger than what is in it.

    The cluster's processes stand still while files are moved, once none of them has a file of the folder open: they
    find the same files as before, then and afterwards.

    :returns: where to put what fills it up.
    :raises CodewaveError: if it can't be mounted, or the processes always have a file open.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as undo:
        disk = Path(tempfile.mkdtemp(prefix="small-disk-", dir=folder.parent))
        undo.callback(disk.rmdir)
        # A checkpoint that ends meanwhile is as small as those before it.
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        _mount("-t", "tmpfs", "-o", f"mode=755,size={size + _SPARE_MB * 1024 * 1024}", "codewave", str(disk))
        undo.callback(unmount, disk)
        held = disk / "checkpoints"
        held.mkdir()
        undo.enter_context(_mounted_over(settings, folder, held))
        yield disk


@contextmanager
def _mounted_over(settings: LocalSettings, folder: Path, held: Path) -> Iterator[None]:
    """Show ``held`` in the place of ``folder``, with the same files in it."""
    with _standing_still(settings, folder):
        shutil.copytree(folder, held, dirs_exist_ok=True)
        _mount("--bind", str(held), str(folder))
    try:
        yield
    finally:
        with _standing_still(settings, folder):
            unmount(folder)
            shutil.rmtree(folder)
            shutil.copytree(held, folder)


@contextmanager
def _standing_still(settings: LocalSettings, folder: Path) -> Iterator[None]:
    """Stop the cluster's processes at a moment when none has a file below ``folder`` open."""
    pids: list[int] = []
    give_up = time.monotonic() + _QUIET_DEADLINE_S
    try:
        while True:
            pids = _cluster_pids(settings)
            _send(pids, signal.SIGSTOP)
            if all(_is_stopped(pid) for pid in pids) and not any(_has_open(pid, folder) for pid in pids):
                break
            _send(pids, signal.SIGCONT)
            if time.monotonic() > give_up:
                raise CodewaveError(f"{folder}: files were always open for {_QUIET_DEADLINE_S:.0f} s; try again")
            time.sleep(_POLL_S)
        yield
    finally:
        _send(pids, signal.SIGCONT)


def _cluster_pids(settings: LocalSettings) -> list[int]:
    job_manager = processes.running_pid(settings, flink.JOB_MANAGER)
    return [*([job_manager] if job_manager else []), *flink.task_manager_pids(settings)]


def _send(pids: list[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _is_stopped(pid: int) -> bool:
    """Whether every thread of a process stands still; true of one that has ended."""
    try:
        threads = [(thread / "stat").read_text() for thread in (_PROC / str(pid) / "task").iterdir()]
    except OSError:
        return not (_PROC / str(pid)).exists()
    return all(stat[stat.rindex(")") + 2] == _STOPPED for stat in threads)


def _has_open(pid: int, folder: Path) -> bool:
    """Whether a process has a file below a folder open."""
    for descriptor in (_PROC / str(pid) / "fd").glob("*"):
        with suppress(OSError):
            if descriptor.readlink().is_relative_to(folder.resolve()):
                return True
    return False


def fill_up(disk: Path, until: float) -> None:
    """Keep a file system full: what is freed meanwhile is filled again.

    :param until: on the monotonic clock.
    """
    with (disk / "filler").open("wb", buffering=0) as filler:
        while time.monotonic() < until:
            for size in (len(_BLOCK), 4096, 1):
                with suppress(OSError):  # it is full, for that size
                    while filler.write(_BLOCK[:size]) == size:
                        pass
            time.sleep(_REFILL_S)


def disk_filled(scene: Scene, seconds: float) -> str:
    """Put the checkpoints on a small disk and fill it up; then free it again."""
    folder = checkpoint_folder(scene.settings, scene.namespace.job())
    with small_disk(scene.settings, folder) as disk:
        fill_up(disk, time.monotonic() + seconds)
        (disk / "filler").unlink()
    return f"filled the disk of {folder.name} for {seconds:.0f} s"


def folder_blocked(scene: Scene, seconds: float) -> str:
    """Put a file in the place of the folder of checkpoints: nothing can be written to it, or read from it."""
    folder = checkpoint_folder(scene.settings, scene.namespace.job())
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f"{folder.name}.aside")
    folder.rename(aside)
    try:
        folder.touch()
        time.sleep(seconds)
    finally:
        folder.unlink(missing_ok=True)
        aside.rename(folder)
    return f"blocked the folder {folder.name} for {seconds:.0f} s"


def why_no_mount() -> str | None:
    """Why no file system can be mounted here; ``None`` where one can."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            _mount("-t", "tmpfs", "-o", "size=64k", "codewave", folder)
        except CodewaveError as error:
            return f"{error}; it takes root"
        unmount(Path(folder))
    return None


def _mount(*arguments: str) -> None:
    _run("mount", *arguments)


def unmount(folder: Path) -> None:
    """Unmount the file system that was mounted last on a folder.

    :raises CodewaveError: if none is, or it is in use.
    """
    _run("umount", str(folder))


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise CodewaveError(f"{command[0]}: is not installed") from None
    except subprocess.CalledProcessError as error:
        raise CodewaveError(f"{' '.join(command)}: {error.stderr.strip()}") from None


CHECKPOINT_FAULTS: Final = (
    Fault(
        name="fill-checkpoint-disk",
        summary="the disk of the checkpoints is full",
        strike=disk_filled,
        longest_s=FAULT_S,
        unavailable=why_no_mount,
    ),
    Fault(
        name="block-checkpoints",
        summary="the folder of the checkpoints can't be written to, or read",
        strike=folder_blocked,
        longest_s=FAULT_S,
    ),
)
