"""Saved states of a job on disk: savepoints, and the checkpoints that Flink retains."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from codewave.errors import CodewaveError, WrongUseError
from codewave.local.settings import LocalSettings

_RUNS_KEPT: Final = 3
_METADATA: Final = "_metadata"
"""Flink writes this file last: a folder without it is a checkpoint that was never finished."""


class SavedState(Struct, frozen=True):
    """One complete state that a job can be resumed from."""

    path: Path
    kind: Literal["checkpoint", "savepoint"]
    completed_at: int
    """Milliseconds since epoch."""


def checkpoint_folder(settings: LocalSettings, job: str) -> Path:
    """Where the job's checkpoints go, one folder below it per run."""
    return settings.data / "checkpoints" / job


def savepoint_folder(settings: LocalSettings, job: str) -> Path:
    """Where the job's savepoints go."""
    return settings.data / "savepoints" / job


def saved_states(settings: LocalSettings, job: str) -> list[SavedState]:
    """Every complete state of a job, oldest first."""
    checkpoints = [_state(file, "checkpoint") for file in checkpoint_folder(settings, job).glob("*/chk-*/_metadata")]
    savepoints = [_state(file, "savepoint") for file in savepoint_folder(settings, job).glob("*/_metadata")]
    return sorted(checkpoints + savepoints, key=lambda state: (state.completed_at, str(state.path)))


def usable_states(settings: LocalSettings, namespace: str, job: str) -> list[SavedState]:
    """The complete states that were saved since the stream was created, oldest first.

    An older one names positions in a stream that is gone: the local one ends with ``codewave down``.
    """
    from codewave.local.kinesis import describe_stream, kinesis_answers

    stream = describe_stream(settings, namespace) if kinesis_answers(settings) else None
    created_at = int(stream["StreamCreationTimestamp"].timestamp() * 1000) if stream else 0
    return [state for state in saved_states(settings, job) if state.completed_at >= created_at]


def choose_state(settings: LocalSettings, namespace: str, job: str, wanted: str) -> SavedState:
    """Find the state to resume from.

    :param wanted: ``latest``, ``earliest``, a time (the newest state completed by then), or the path of a state.
    :raises CodewaveError: if there is none.
    :raises WrongUseError: if ``wanted`` is neither a word, a time nor a folder of a complete state.
    """
    folder = Path(wanted.removeprefix("file:"))
    if "/" in wanted or folder.is_dir():
        return _given(folder)
    states = usable_states(settings, namespace, job)
    if wanted not in {"latest", "earliest"}:
        moment = parse_time(wanted)
        states = [state for state in states if state.completed_at <= moment]
    if not states:
        when = "" if wanted in {"latest", "earliest"} else f" of {wanted} or before"
        if saved_states(settings, job):
            when += " of the stream as it is now (the local stream is emptied by `codewave down`)"
        raise CodewaveError(
            f"room_events: no checkpoint{when} under {checkpoint_folder(settings, job)}; "
            "start with `codewave job start --from earliest` or give --savepoint"
        )
    return states[0] if wanted == "earliest" else states[-1]


def parse_time(text: str) -> int:
    """Milliseconds since epoch of ``text``: that number itself, or ISO 8601, in UTC unless it says otherwise.

    :raises WrongUseError: if it is neither.
    """
    if text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WrongUseError(
            f"--from {text}: use latest, earliest, a time (2026-01-31T12:00 or ms since epoch) or a savepoint's folder"
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def forget_old_runs(settings: LocalSettings, job: str, keep: Path) -> None:
    """Delete the checkpoints of all but the newest runs and the one that ``keep`` is a state of.

    A run never reads another run's files once it has a checkpoint of its own.
    """
    runs = [run for run in checkpoint_folder(settings, job).glob("*") if run.is_dir()]
    complete = {run: max((f.stat().st_mtime_ns for f in run.glob(f"chk-*/{_METADATA}")), default=0) for run in runs}
    for run in sorted(runs, key=lambda run: complete[run])[:-_RUNS_KEPT]:
        if run not in keep.parents:
            shutil.rmtree(run, ignore_errors=True)


def _state(metadata: Path, kind: Literal["checkpoint", "savepoint"]) -> SavedState:
    return SavedState(metadata.parent, kind, metadata.stat().st_mtime_ns // 1_000_000)


def _given(folder: Path) -> SavedState:
    metadata = folder / _METADATA
    if not metadata.is_file():
        raise WrongUseError(f"--savepoint {folder}: no complete savepoint or checkpoint there (it has no {_METADATA})")
    return _state(metadata.resolve(), "checkpoint" if folder.name.startswith("chk-") else "savepoint")
