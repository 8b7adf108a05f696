"""Files that hold secrets: their owner alone can read them, and nobody ever reads half of one."""

import os
from pathlib import Path


def write_secret(file: Path, text: str) -> None:
    """Write ``text`` to ``file``, whole or not at all, readable by this user alone (mode 0600) from its first byte.

    :raises OSError: if the folder does not exist or cannot be written.
    """
    draft = file.with_name(f"{file.name}.new")
    draft.unlink(missing_ok=True)  # left by a process that was killed
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
    draft.replace(file)
