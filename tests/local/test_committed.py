"""Whether the lake has gone on from a saved state is told from the state's metadata and the tables' last commits."""

from pathlib import Path

import pytest

from codewave.errors import CodewaveError
from codewave.local.committed import Commit, StateOrigin, origin_of

JOB = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32
STATE = StateOrigin(checkpoint=10, job_id=JOB, completed_at=5_000)


def metadata(folder: Path, checkpoint: int, job_id: str = JOB) -> Path:
    """A state's metadata: its head as Flink writes it, and an operator's state with a job's id in it."""
    head = bytes.fromhex("4960672d") + (4).to_bytes(4, "big") + checkpoint.to_bytes(8, "big")
    (folder / "_metadata").write_bytes(head + b"\x00iceberg-flink-job-id\x00!" + job_id.encode() + b"\x00")
    return folder


def test_the_origin_is_read_from_a_states_metadata(tmp_path: Path) -> None:
    origin = origin_of(metadata(tmp_path, 300))
    assert (origin.checkpoint, origin.job_id) == (300, JOB)


def test_a_folder_in_the_name_of_a_job_is_not_taken_for_the_committers_job(tmp_path: Path) -> None:
    (tmp_path / "_metadata").write_bytes(bytes.fromhex("4960672d00000004") + bytes(8) + f"file:/{JOB}/chk-1".encode())
    assert origin_of(tmp_path).job_id is None


def test_a_folder_without_a_state_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(CodewaveError, match=f"{tmp_path}/_metadata: .*give the folder of a complete savepoint"):
        origin_of(tmp_path)


def test_a_file_that_is_no_metadata_is_refused(tmp_path: Path) -> None:
    (tmp_path / "_metadata").write_bytes(b"something else")
    with pytest.raises(CodewaveError, match="not the metadata"):
        origin_of(tmp_path)


@pytest.mark.parametrize(
    ("job_id", "checkpoint", "committed_at", "beyond"),
    [
        (JOB, 9, 4_000, False),
        (JOB, 10, 6_000, False),
        (JOB, 11, 6_000, True),
        (OTHER, 500, 4_000, False),
        (OTHER, 2, 6_000, True),
    ],
    ids=[
        "the run's earlier checkpoint",
        "the state's own, committed after it",
        "the run's later checkpoint",
        "an earlier run",
        "a later run, which counts from 1",
    ],
)
def test_the_lake_has_gone_on_if_it_holds_a_later_checkpoint(
    job_id: str, checkpoint: int, committed_at: int, beyond: bool
) -> None:
    assert Commit("rooms.chat_messages", job_id, checkpoint, committed_at).is_beyond(STATE) is beyond
