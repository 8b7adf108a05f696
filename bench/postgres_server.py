"""A PostgreSQL server for the benchmark: the machine's, or Debian's packages unpacked beside the project.

It runs as another user than root, listens on a Unix socket only, and writes as a server in production does: fsync and
synchronous commits on, as PostgreSQL's defaults have it.
"""

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import psutil

from bench.contender import ContenderError
from codewave.local.settings import LocalSettings

NOBODY: Final = 65534
"""User the server runs as when root starts it: PostgreSQL refuses to run as root."""
_USER_NAMESPACE: Final = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
"""Where a folder on the way is closed to other users, root can still hide that it is root."""
_DEBIAN: Final = Path("/usr/lib/postgresql")
_PACKAGE: Final = "postgresql"
_DEADLINE_S: Final = 60.0
_SAMPLE_S: Final = 0.25
_OPTIONS: Final = {
    "listen_addresses": "",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "wal_compression": "on",
    "jit": "off",
}
"""What a server that takes many inserts is set to; all that is about safety stays as it is by default."""


def find_programs(settings: LocalSettings) -> Path:
    """The folder of ``postgres`` and ``initdb``; Debian's packages are unpacked into ``.cache`` where there is none.

    :raises ContenderError: if they cannot be had.
    """
    unpacked = settings.cache / "postgres"
    return _programs(_DEBIAN) or _programs(unpacked / "usr/lib/postgresql") or _unpack(unpacked)


def _programs(folder: Path) -> Path | None:
    found = [path.parent for path in folder.glob("*/bin/initdb") if (path.parent / "postgres").exists()]
    return max(found, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0), default=None)


def _unpack(target: Path) -> Path:
    """Download what an installation would take, and unpack it instead: the system stays as it is."""
    archives = target / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    download = [
        "apt-get", "install", "--download-only", "--yes", "--no-install-recommends",
        "-o", f"Dir::Cache::archives={archives}", "-o", "Debug::NoLocking=1", _PACKAGE,
    ]  # fmt: skip
    advice = "run apt-get update, install Debian's package postgresql, or leave the contender out with --only"
    try:
        done = subprocess.run(download, capture_output=True, text=True, check=False)
        told = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        for package in sorted(archives.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", package, target], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        told = str(error)
    shutil.rmtree(archives, ignore_errors=True)
    if found := _programs(target / "usr/lib/postgresql"):
        return found
    raise ContenderError(f"postgres: its packages cannot be had ({told}); {advice}")


class PostgresServer:
    """One server with a database folder of its own, made afresh."""

    def __init__(self, settings: LocalSettings) -> None:
        self._programs = find_programs(settings)
        self._folder = settings.data / "bench" / "postgres"
        self._socket = Path(tempfile.mkdtemp(prefix="postgres-"))  # the path of a socket must be short
        self._uid = self._user()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """What a client connects to."""
        return f"host={self._socket} user=bench dbname=postgres"

    def start(self) -> None:
        """Make the database and wait until the server answers.

        :raises ContenderError: with the end of its log, if it does not.
        """
        self._stop_former()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        for folder in (self._folder, self._socket):
            folder.chmod(0o700)
            if self._uid is not None:
                os.chown(folder, self._uid, self._uid)
        data = str(self._folder / "data")
        initialize = ["initdb", "-D", data, "-U", "bench", "--auth=trust", "--no-locale", "--encoding=UTF8"]
        done = self._popen(initialize)
        if done.wait(_DEADLINE_S):
            raise ContenderError(f"postgres: initdb failed; {self._log_tail()}")
        options = [part for name, value in _OPTIONS.items() for part in ("-c", f"{name}={value}")]
        self._process = self._popen(["postgres", "-D", data, "-k", str(self._socket), *options])
        give_up = time.monotonic() + _DEADLINE_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise ContenderError(f"postgres: does not answer; {self._log_tail()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        pid_file = self._folder / "data" / "postmaster.pid"
        return pid_file.exists() and "ready" in pid_file.read_text(encoding="utf-8").split()

    def _stop_former(self) -> None:
        """End the server of a benchmark that was killed."""
        data = self._folder / "data"
        try:
            former = psutil.Process(int((data / "postmaster.pid").read_text(encoding="utf-8").split()[0]))
            if str(data) in former.cmdline():
                former.terminate()
                former.wait(_DEADLINE_S)
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return

    def processes(self) -> list[psutil.Process]:
        """The server's processes that live now, its first one first."""
        if self._process is None:
            return []
        first = psutil.Process(self._process.pid)
        return [first, *first.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """CPU time of all its processes so far, also of those that have ended."""
        total = 0.0
        for index, process in enumerate(self.processes()):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system + (times.children_user + times.children_system if index == 0 else 0)
        return total

    def stop(self) -> None:
        """End the server, and remove its data."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_DEADLINE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.rmtree(self._socket, ignore_errors=True)

    def _popen(self, command: list[str]) -> subprocess.Popen[bytes]:
        library = self._programs.parents[2] / f"{os.uname().machine}-linux-gnu"
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "LD_LIBRARY_PATH": str(library)}
        program = [str(self._programs / command[0]), *command[1:]]
        namespaced = os.geteuid() == 0 and self._uid is None
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*_USER_NAMESPACE, *program] if namespaced else program,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment,
                start_new_session=True,
                user=self._uid,
                group=self._uid,
                extra_groups=None if self._uid is None else [],
            )

    def _user(self) -> int | None:
        """Whom to run as: the caller, unless that is root; then nobody, if nobody may reach what the server needs."""
        if os.geteuid() != 0:
            return None
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        probe = ["/bin/sh", "-c", 'for path; do test -x "$path" || exit 1; done', "sh"]
        needed = [str(self._programs / "postgres"), str(self._folder.parent)]
        answer = subprocess.run([*probe, *needed], cwd="/", user=NOBODY, group=NOBODY, extra_groups=[], check=False)
        return NOBODY if answer.returncode == 0 else None

    def _log_tail(self) -> str:
        log = self._folder / "log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        return "; ".join(lines[-5:]) or "it said nothing"


class MemoryWatch:
    """Looks at the memory of a server's processes together with the caller's, again and again.

    Pages that several share are counted once (``Pss``).
    """

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.highest_bytes = 0

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            now = sum(_memory_bytes(process) for process in [psutil.Process(), *self._server.processes()])
            self.highest_bytes = max(self.highest_bytes, now)
            if self._ended.wait(_SAMPLE_S):
                return


def _memory_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0
