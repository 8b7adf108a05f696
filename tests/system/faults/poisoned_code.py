"""The job's code with a bug: a chat message with a certain text breaks it."""

from pathlib import Path

from codewave.local.job_code import copy_code

POISON = "POISON"
FAILURE = "no row for such a message"
FILE = "udfs/route.py"

_BUG = f'''

_healthy = ROUTES["chat.posted"][1]


def _posted_or_break(event: e.ChatPosted, *flags: bool) -> Row:
    if "{POISON}" in event.payload.text:
        raise ValueError("{FAILURE}")
    return _healthy(event, *flags)


ROUTES["chat.posted"] = ("chat_messages", _posted_or_break)
'''


def poison_code(folder: Path) -> Path:
    """Copy the project's job code below ``folder`` and put the bug in; returns the copy's folder."""
    copy = copy_code(folder)
    file = copy / FILE
    file.write_text(file.read_text() + _BUG)
    return copy
