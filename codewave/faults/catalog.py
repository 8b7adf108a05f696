"""Faults of the lake's catalog: it is locked; commits are answered wrongly, too late, or not at all."""

import os
import re
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Final

from codewave.errors import CodewaveError
from codewave.faults.fault import Fault, Scene
from codewave.faults.processes import RESUME_S, bring_back
from codewave.faults.proxy import Answer, Ask, HangupError, Request
from codewave.faults.waiting import wait_until
from codewave.local import flink, processes
from codewave.local.catalog import database_file

LOCK_S: Final = 30.0
"""Longer than the 10 s for which the catalog waits for its database."""

_COMMIT: Final = re.compile(r"/v1/(?:[^/]+/)?namespaces/(?P<namespace>[^/]+)/tables/(?P<table>[^/]+)")
"""Path of a POST that commits to a table (Iceberg's REST catalog specification, updateTable)."""
_TRY_AGAIN: Final = Answer(503, b"", {"Retry-After": "1"})
"""What a gateway says that has lost patience with the catalog: Iceberg's client then sends the request again."""
_TABLES: Final = 10
"""About as many commits come at a checkpoint."""
_COMMIT_DEADLINE_S: Final = 60.0
_RESTART_DEADLINE_S: Final = 120.0
_POLL_S: Final = 0.05


def committed_table(request: Request) -> str | None:
    """Full name of the table that a request commits to; ``None`` for every other request."""
    found = _COMMIT.fullmatch(request.path) if request.method == "POST" else None
    return f"{found['namespace']}.{found['table']}" if found else None


class StruckCommit:
    """A rule that has one commit carried out and does not say so.

    :param passes: how many commits are answered before.
    :param answer: what is said in place of the truth; nothing: the connection ends.
    :param last: it and all that come after it get no answer before :meth:`release`, and those are not carried out:
        some tables have then committed a checkpoint, one has and its writer does not know, and others have not.
    """

    def __init__(self, passes: int, answer: Answer | None = None, *, last: bool = False) -> None:
        self.table = ""
        """What the struck commit was to."""
        self._answer = answer
        self._last = last
        self._left = passes
        self._lock = threading.Lock()
        self._struck = threading.Event()
        self._released = threading.Event()

    def __call__(self, request: Request, ask: Ask) -> Answer:
        """Answer one request."""
        table = committed_table(request)
        if table is None:
            return ask()
        with self._lock:
            self._left -= 1
            turn = self._left
        if turn == -1:
            return self._strike(table, ask)
        if turn < -1 and self._last:
            self._released.wait()
            raise HangupError
        return ask()

    def wait(self) -> str:
        """Wait until the commit was carried out; returns its table.

        :raises CodewaveError: if none comes in time.
        """
        if not self._struck.wait(_COMMIT_DEADLINE_S):
            raise CodewaveError(f"catalog: no commit came through the proxy in {_COMMIT_DEADLINE_S:.0f} s")
        return self.table

    def release(self) -> None:
        """End the connections of those that wait."""
        self._released.set()

    def _strike(self, table: str, ask: Ask) -> Answer:
        ask()
        self.table = table
        self._struck.set()
        if self._last:
            self._released.wait()
        if self._answer is None:
            raise HangupError
        return self._answer


class LateCommit:
    """A rule that keeps a commit back until another to the same table comes, and then carries out both, in order.

    As if the catalog had been busy for so long that the first one's sender has been replaced.
    """

    def __init__(self, passes: int) -> None:
        self.table = ""
        """What the commit that is kept back is to."""
        self._left = passes
        self._lock = threading.Lock()
        self._kept: Callable[[], Answer] | None = None
        self._ended = threading.Event()

    def __call__(self, request: Request, ask: Ask) -> Answer:
        """Answer one request."""
        table = committed_table(request)
        if table is None:
            return ask()
        with self._lock:
            self._left -= 1
            if self._left == -1:
                self.table, self._kept = table, ask
            elif self._kept is not None and table == self.table:
                self._kept()
                self._kept = None
                self._ended.set()
                return ask()
            keep = self._left == -1
        if not keep:
            return ask()
        self._ended.wait()
        raise HangupError

    def wait_until_kept(self) -> str:
        """Wait until a commit is kept back; returns its table.

        :raises CodewaveError: if none comes in time.
        """
        _wait(lambda: bool(self.table), _COMMIT_DEADLINE_S, "no commit came through the proxy")
        return self.table

    def wait_until_late(self) -> None:
        """Wait until it was carried out, too late.

        :raises CodewaveError: if no other comes in time.
        """
        _wait(self._ended.is_set, _RESTART_DEADLINE_S, f"no other commit to {self.table} came through the proxy")

    def release(self) -> None:
        """Let it wait no longer; it is not carried out any more."""
        with self._lock:
            self._kept = None
        self._ended.set()


def locked(scene: Scene, seconds: float) -> str:
    """Lock the catalog's database, so that it can be read and not written."""
    with closing(sqlite3.connect(database_file(scene.settings), timeout=LOCK_S, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        try:
            time.sleep(seconds)
        finally:
            database.execute("ROLLBACK")
    return f"locked the catalog's database for {seconds:.0f} s"


def commit_unanswered(scene: Scene, _seconds: float) -> str:
    """Have a commit carried out and end the connection without an answer."""
    rule = StruckCommit(_passes(scene))
    with scene.proxies.catalog.ruled(rule):
        return f"lost the answer to a commit to {rule.wait()}"


def commit_sent_again(scene: Scene, _seconds: float) -> str:
    """Have a commit carried out, and its client told to try again, which it does by itself."""
    rule = StruckCommit(_passes(scene), _TRY_AGAIN)
    with scene.proxies.catalog.ruled(rule):
        return f"had a commit to {rule.wait()} sent again after it was carried out"


def killed_after_commit(scene: Scene, _seconds: float) -> str:
    """Kill every TaskManager between a commit and its answer, in the middle of a checkpoint's commits."""
    rule = StruckCommit(_passes(scene), last=True)
    try:
        with scene.proxies.catalog.ruled(rule):
            table = rule.wait()
            _kill(flink.task_manager_pids(scene.settings))
    finally:
        rule.release()
    return f"killed all TaskManagers between a commit to {table} and its answer"


def cluster_killed_after_commit(scene: Scene, _seconds: float) -> str:
    """Kill the whole cluster between a commit and its answer, and bring the job back under another id."""
    rule = StruckCommit(_passes(scene), last=True)
    try:
        with scene.proxies.catalog.ruled(rule):
            table = rule.wait()
            kill_cluster(scene)
    finally:
        rule.release()
    return f"killed the whole cluster between a commit to {table} and its answer; {bring_back(scene)}"


def commit_too_late(scene: Scene, _seconds: float) -> str:
    """Keep a commit back, kill its sender, and carry it out just before the one that the restarted job sends."""
    rule = LateCommit(_passes(scene))
    try:
        with scene.proxies.catalog.ruled(rule):
            table = rule.wait_until_kept()
            _kill(flink.task_manager_pids(scene.settings))
            rule.wait_until_late()
    finally:
        rule.release()
    return f"carried out a commit to {table} after its sender was killed and replaced"


def kill_cluster(scene: Scene) -> None:
    """Kill the JobManager and every TaskManager with SIGKILL, and wait until they are gone."""
    job_manager = processes.running_pid(scene.settings, flink.JOB_MANAGER)
    # The JobManager first: without one, nothing replaces the others.
    _kill([*([job_manager] if job_manager else []), *flink.task_manager_pids(scene.settings)])
    _wait(
        lambda: processes.running_pid(scene.settings, flink.JOB_MANAGER) is None,
        _COMMIT_DEADLINE_S,
        "the JobManager was killed and runs",
    )


def _passes(scene: Scene) -> int:
    return scene.random.randrange(_TABLES)


def _kill(pids: "list[int] | set[int]") -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _wait(done: Callable[[], bool], deadline_s: float, otherwise: str) -> None:
    wait_until(done, deadline_s, f"catalog: {otherwise} in", _POLL_S)


CATALOG_FAULTS: Final = (
    Fault(name="lock-catalog", summary="the catalog's database is locked", strike=locked, longest_s=LOCK_S),
    Fault(name="lose-commit-answer", summary="a commit is carried out and not answered", strike=commit_unanswered),
    Fault(
        name="send-commit-again",
        summary="a commit is carried out, and its client told to try again",
        strike=commit_sent_again,
    ),
    Fault(
        name="kill-after-commit",
        summary="kill -9 of every TaskManager between a commit and its answer",
        strike=killed_after_commit,
    ),
    Fault(
        name="kill-cluster-after-commit",
        summary="kill -9 of the whole cluster between a commit and its answer; the job is resumed under another id",
        strike=cluster_killed_after_commit,
        takes_s=RESUME_S,
    ),
    Fault(
        name="commit-too-late",
        summary="a commit is carried out after its sender was killed, just before the restarted job's",
        strike=commit_too_late,
    ),
)
