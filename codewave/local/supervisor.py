"""Replaces TaskManagers that die, as a cluster's resource manager does in production.

Runs as a process of its own beside the cluster: ``python -m codewave.local.supervisor SETTINGS``, the settings as JSON.
A JobManager is not replaced: its jobs would be gone, and bringing them back is `codewave job resume`.
"""

import sys
import time
from typing import Final

import msgspec

from codewave.errors import CodewaveError
from codewave.local import flink
from codewave.local.settings import LocalSettings

_POLL_S: Final = 1.0


def watch(settings: LocalSettings) -> None:
    """Look after the TaskManagers until this process is ended."""
    while True:
        try:
            for index in flink.replace_task_managers(settings):
                print(f"replaced TaskManager {index}", flush=True)
        except CodewaveError as error:
            print(error, flush=True)  # tried again at the next look
        time.sleep(_POLL_S)


if __name__ == "__main__":
    watch(msgspec.json.decode(sys.argv[1], type=LocalSettings))
