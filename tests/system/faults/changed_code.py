"""The job's code, changed as a developer would: a new event type, and a new field in the state of an ordering key."""

import shutil
from pathlib import Path

from codewave.local.settings import PROJECT_ROOT

NEW_TYPE = "chat.reacted"

_STRUCTS = '''
class ChatReactedPayload(Struct, gc=False, omit_defaults=True):
    """A reaction to a message."""

    emoji: Annotated[Label, Meta(description="The reaction.")]


class ChatReacted(Event, tag="chat.reacted", gc=False):
    """Somebody reacted to a message."""

    payload: ChatReactedPayload


AnyEvent = (
    ChatReacted
    | DocumentEdited
'''

EDITS: dict[str, list[tuple[str, str]]] = {
    "codewave/contract/events.py": [("\nAnyEvent = (\n    DocumentEdited\n", _STRUCTS)],
    "udfs/route.py": [
        (
            "\n\nROUTES: Final",
            "\n\ndef _reacted(event: e.ChatReacted, *flags: bool) -> Row:\n"
            "    head = _envelope(event, 'chat.reacted', *flags)\n"
            "    return PresenceEventRow(*head, None, None, None, None, None, event.payload.emoji, None, None)\n"
            "\n\nROUTES: Final",
        ),
        (
            '    "chat.posted": ("chat_messages", _posted),\n',
            '    "chat.posted": ("chat_messages", _posted),\n    "chat.reacted": ("presence_events", _reacted),\n',
        ),
    ],
    "udfs/sequence.py": [("\n\n\nclass Gap(", "\n    reactions: int = 0\n\n\nclass Gap(")],
    "udfs/room.py": [
        ("    together = True\n", "    together = False\n"),
        (
            "        output, make = ROUTES[kind]\n        self._add(",
            "        output, make = ROUTES[kind]\n"
            "        if isinstance(event, e.ChatReacted):\n"
            "            key = self._keys[event.ordering_key]\n"
            "            key.reactions += 1\n"
            "            event.payload.emoji += f' {key.reactions}'\n"
            "        self._add(",
        ),
    ],
}
"""File → texts, each there exactly once, and what takes their places."""


def change_code(folder: Path) -> Path:
    """Copy the project's job code to ``folder`` and change it; returns ``folder``."""
    for part in ("udfs", "flink_jobs", "codewave/contract"):
        shutil.copytree(PROJECT_ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "connectors"))
    for file in ("codewave/__init__.py", "codewave/errors.py"):
        shutil.copyfile(PROJECT_ROOT / file, folder / file)
    for name, edits in EDITS.items():
        file = folder / name
        text = file.read_text()
        for old, new in edits:
            assert text.count(old) == 1, f"{name} does not hold exactly once: {old!r}"
            text = text.replace(old, new)
        file.write_text(text)
    return folder
