"""Files that hold secrets."""

import os
import stat
from pathlib import Path

import pytest

from codewave.local.secret_file import write_secret


def _mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_a_secret_is_readable_by_its_owner_alone_whatever_the_umask_and_the_mode_before(tmp_path: Path) -> None:
    file = tmp_path / "passwords.json"
    file.write_text("old", encoding="utf-8")
    file.chmod(0o644)
    before = os.umask(0)
    try:
        write_secret(file, "new")
    finally:
        os.umask(before)
    assert file.read_text(encoding="utf-8") == "new"
    assert _mode(file) == 0o600


def test_a_secret_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "passwords.json"
    write_secret(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_secret(file, "half of it \ud800")
    assert file.read_text(encoding="utf-8") == "old"


def test_the_draft_of_a_process_that_was_killed_is_neither_kept_nor_in_the_way(tmp_path: Path) -> None:
    file = tmp_path / "passwords.json"
    draft = tmp_path / "passwords.json.new"
    draft.write_text("half", encoding="utf-8")
    draft.chmod(0o644)
    write_secret(file, "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["passwords.json"]
    assert _mode(file) == 0o600
