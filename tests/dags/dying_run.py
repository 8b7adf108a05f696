"""A run of `derive_executions` in a process of its own that is killed somewhere, or waits for another one like it."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codewave.orchestration.runs import DagFolder

TABLE = "executions"


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after(work: Callable[..., Any]) -> Callable[..., Any]:
    def done_then_die(*arguments: Any, **named: Any) -> None:
        work(*arguments, **named)
        die()

    return done_then_die


def meet(folder: Path, place: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """Hold the work back until the other process has come as far."""

    def together(*arguments: Any, **named: Any) -> Any:
        (folder / f"here-{place}").touch()
        give_up = time.monotonic() + 120
        while len(list(folder.glob("here-*"))) < 2 and time.monotonic() < give_up:
            time.sleep(0.02)
        return work(*arguments, **named)

    return together


def change(where: str) -> None:
    import iceberg.derive
    import iceberg.derive.run
    import iceberg.quality.gate

    if where == "before_commit":
        iceberg.derive.run.replace_interval = die
    elif where == "after_first_commit":
        iceberg.derive.run.replace_interval = after(iceberg.derive.run.replace_interval)
    elif where == "before_mark":
        iceberg.derive.mark_derived = die
    elif where == "in_gate":
        iceberg.quality.gate.run_gate = die
    elif where == "together":
        folder, place = Path(sys.argv[2]), sys.argv[3]
        iceberg.derive.run.replace_interval = meet(folder, place, iceberg.derive.run.replace_interval)
    else:
        sys.exit(f"no such place: {where}")


if __name__ == "__main__":
    change(sys.argv[1])
    result = DagFolder().run(f"derive_{TABLE}", {})
    print(result, file=sys.stderr)
    sys.exit(0 if result.succeeded else 1)
