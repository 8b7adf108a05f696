"""Processes of the local stack: started detached from the command, found again by their pid file, stopped for sure.

A pid file holds the process id and the start time from ``/proc``, so that another program that was given the same id
later is never taken for ours. Every process also carries the path of its pid file in its environment: that finds
children whose parent died, and processes of an ``up`` that was killed before it could write the file.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from codewave.errors import CodewaveError
from codewave.local.settings import LOOPBACK, LocalSettings

MARK: Final = "CODEWAVE_PROCESS"
"""Environment variable of every process: the path of its pid file."""

_POLL_S: Final = 0.1
_STOP_DEADLINE_S: Final = 20.0
_KILL_DEADLINE_S: Final = 10.0
_LOG_LINES: Final = 15
_LOG_TAIL_BYTES: Final = 16 * 1024
_PROC: Final = Path("/proc")
_ENDED: Final = ("Z", "X")
"""States of a thread that no longer runs: zombie, dead."""


class ProcessSpec(Struct, frozen=True, kw_only=True):
    """What to start."""

    name: str
    """Unique in the stack; names the pid file and the log."""
    command: list[str]
    folder: Path
    """Working directory."""
    environment: Mapping[str, str] = {}
    """Added to the caller's environment."""
    without: tuple[str, ...] = ()
    """Variables of the caller's environment that the process must not see."""
    uid: int | None = None
    """User and group to run as; nothing for the caller's own. Only root can set it."""
    ports: tuple[str, ...] = ()
    """Names of the ports it listens on, as in ``LocalSettings.port``."""


def log_file(settings: LocalSettings, name: str) -> Path:
    """Where a process' output goes; the previous start's is kept beside it as ``.log.1``."""
    return settings.data / "logs" / f"{name}.log"


def pid_file(settings: LocalSettings, name: str) -> Path:
    """Where the id and start time of a process are kept."""
    return settings.data / "run" / f"{name}.pid"


def check_ports(settings: LocalSettings, names: tuple[str, ...]) -> None:
    """Make sure that nobody listens on these ports.

    :raises CodewaveError: naming the first port that is in use and the settings that change it.
    """
    for name in names:
        port = settings.port(name)
        if _in_use(port):
            raise CodewaveError(
                f"port {port} ({name}) is in use; set CODEWAVE_{name.upper()}_PORT or CODEWAVE_PORT_OFFSET"
            )


def start(settings: LocalSettings, spec: ProcessSpec) -> int:
    """Start a process in a session of its own and return its id, without waiting until it answers.

    What an earlier process of this name left running is stopped first.

    :raises CodewaveError: if one of its ports is in use, or the program cannot be run.
    """
    stop(settings, spec.name)
    check_ports(settings, spec.ports)
    file, log = pid_file(settings, spec.name), log_file(settings, spec.name)
    for folder in (file.parent, log.parent):
        folder.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                spec.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=spec.folder,
                env=_environment(settings, spec),
                start_new_session=True,
                user=spec.uid,
                group=spec.uid,
                extra_groups=None if spec.uid is None else [],
            )
        except OSError as error:
            raise CodewaveError(f"{spec.name}: cannot run {spec.command[0]}: {error.strerror}") from None
    fields = _stat(_PROC / str(process.pid))  # still there even if it ended: nobody has reaped it
    file.write_text(f"{process.pid} {_start_ticks(fields) if fields else 0}\n", encoding="ascii")
    return process.pid


def wait_until(settings: LocalSettings, name: str, ready: Callable[[], bool], deadline_s: float) -> None:
    """Wait until a started process answers.

    :raises CodewaveError: with the end of its log, if it dies first or does not answer in time.
    """
    give_up = time.monotonic() + deadline_s
    while not ready():
        if running_pid(settings, name) is None:
            raise CodewaveError(f"{name} ended while starting; {_log_tail(settings, name)}")
        if time.monotonic() > give_up:
            raise CodewaveError(f"{name} did not answer within {deadline_s:.0f} s; {_log_tail(settings, name)}")
        time.sleep(_POLL_S)


def running_pid(settings: LocalSettings, name: str) -> int | None:
    """Id of the process if it runs; ``None`` if it does not, or if its id belongs to another program by now."""
    recorded = _recorded(settings, name)
    if recorded is None:
        return None
    _reap(recorded[0])
    fields = _stat(_PROC / str(recorded[0]))
    return recorded[0] if fields and fields[0] not in _ENDED and _start_ticks(fields) == recorded[1] else None


def memory_mb(pid: int) -> int | None:
    """Resident memory of a process in MiB, ``None`` if it is gone."""
    with suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) // 1024
    return None


def stop(settings: LocalSettings, name: str, deadline_s: float = _STOP_DEADLINE_S) -> bool:
    """Stop a process with everything it started: ask, wait, then kill.

    :param deadline_s: how long it may take to stop by itself, in seconds.
    :returns: whether anything ran.
    :raises CodewaveError: if something is left even after killing it.
    """
    found = bool(_signal(settings, name, signal.SIGTERM))
    if found and not _wait_gone(settings, name, deadline_s):
        _signal(settings, name, signal.SIGKILL)
        if not _wait_gone(settings, name, _KILL_DEADLINE_S):
            raise CodewaveError(f"{name}: cannot be stopped, even by SIGKILL: processes {_members(settings, name)}")
    pid_file(settings, name).unlink(missing_ok=True)
    return found


def _environment(settings: LocalSettings, spec: ProcessSpec) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in spec.without}
    return kept | dict(spec.environment) | {MARK: str(pid_file(settings, spec.name))}


def _in_use(port: int) -> bool:
    with socket.socket() as probe:
        # Without it, connections that the last run left closing would count as in use for a minute.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
        return False


def _signal(settings: LocalSettings, name: str, number: int) -> list[int]:
    members = _members(settings, name)
    for pid in members:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    return members


def _wait_gone(settings: LocalSettings, name: str, deadline_s: float) -> bool:
    recorded, give_up = _recorded(settings, name), time.monotonic() + deadline_s
    while _members(settings, name):
        if recorded:
            _reap(recorded[0])
        if time.monotonic() > give_up:
            return False
        time.sleep(_POLL_S)
    return True


def _recorded(settings: LocalSettings, name: str) -> tuple[int, int] | None:
    """Process id and start time in the pid file; ``None`` without one, or if writing it was cut short."""
    try:
        pid, ticks = (int(word) for word in pid_file(settings, name).read_text(encoding="ascii").split())
    except (FileNotFoundError, ValueError):
        return None
    return pid, ticks


def _members(settings: LocalSettings, name: str) -> list[int]:
    """The process, its process group, and whatever else carries its mark; also what is still ending."""
    recorded, live = _recorded(settings, name), _live()
    leader = recorded[0] if recorded and live.get(recorded[0]) == recorded[1] else None
    mark = f"{MARK}={pid_file(settings, name)}".encode()
    return [pid for pid in live if (leader is not None and _group(pid) == leader) or mark in _marks(pid)]


def _live() -> dict[int, int]:
    """Start times of all processes that have not ended, by id.

    A killed program's first thread is a zombie at once, but its ports and files are held until its last thread ends.
    """
    live = {}
    for entry in _PROC.iterdir():
        fields = _stat(entry) if entry.name.isdigit() else None
        if fields and (fields[0] not in _ENDED or _threads_left(entry)):
            live[int(entry.name)] = _start_ticks(fields)
    return live


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _marks(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # gone, or another user's
        return []


def _start_ticks(fields: list[str]) -> int:
    """Start of a process in clock ticks since boot: field 22 of proc(5) stat."""
    return int(fields[19])


def _threads_left(process: Path) -> bool:
    try:
        threads = list((process / "task").iterdir())
    except OSError:
        return False
    return any((fields := _stat(thread)) is not None and fields[0] not in _ENDED for thread in threads)


def _stat(folder: Path) -> list[str] | None:
    """State and what follows it (fields 3 and on) in proc(5) stat; ``None`` if it is gone."""
    try:
        stat = (folder / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The program's name, in parentheses, may itself hold blanks and parentheses.
    return stat[stat.rindex(")") + 2 :].split()


def _reap(pid: int) -> None:
    """Collect a child that ended, so that it does not stay behind as a zombie of this command."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _log_tail(settings: LocalSettings, name: str) -> str:
    log = log_file(settings, name)
    if not log.exists():
        return f"it left no log at {log}"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()[-_LOG_LINES:]
    return f"the end of {log}:\n" + "\n".join(lines)
