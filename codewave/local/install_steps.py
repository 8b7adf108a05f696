"""Steps of the set-up: each is done once per state of its inputs, told in one line, and says what to do if it fails.

A step leaves a stamp under ``.cache/stamps``: a hash of what it was made from. As long as that matches and its output
is there, the step has nothing to do.
"""

import hashlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from msgspec import Struct
from rich.console import Console

from codewave.errors import CodewaveError
from codewave.local.settings import PROJECT_ROOT, LocalSettings

NETWORK_SIGNS: Final = (
    "Could not transfer",
    "Could not resolve host",
    "ENOTFOUND",
    "ECONNREFUSED",
    "EAI_AGAIN",
    "ETIMEDOUT",
    "PKIX path",
    "SELF_SIGNED_CERT",
    "Temporary failure in name resolution",
    "dns error",
    "Connection refused",
    "Connect timed out",
    "error sending request",
)
"""What uv, npm, Maven and curl print when they do not reach, or do not trust, what they download from."""

console: Final = Console(stderr=True, highlight=False)


class Step(Struct, frozen=True, kw_only=True):
    """One part to install."""

    name: str
    """As people read it; also names its stamp and log."""
    takes: str
    """How long it takes on two cores, for people who wait."""
    output: Path
    """Is there once the part is installed."""
    inputs: tuple[Path, ...] = ()
    """Files and folders it is made from."""
    install: Callable[[], None]

    @property
    def slug(self) -> str:
        """Its name as a file name."""
        return self.name.replace(" ", "-")


def run_lanes(settings: LocalSettings, lanes: Iterable[list[Step]]) -> int:
    """Run lanes of steps beside each other, each lane in its order; a failure stops every lane before its next step.

    :returns: how many steps had something to do.
    :raises CodewaveError: the first failure.
    """
    failed = threading.Event()
    with ThreadPoolExecutor() as threads:
        runs = [threads.submit(_run_lane, settings, lane, failed) for lane in lanes]
    return sum(run.result() for run in runs)


def _run_lane(settings: LocalSettings, lane: list[Step], failed: threading.Event) -> int:
    done = 0
    for step in lane:
        if failed.is_set():
            break
        try:
            done += run_step(settings, step)
        except BaseException:
            failed.set()
            raise
    return done


def run_step(settings: LocalSettings, step: Step) -> bool:
    """Install a part unless it is there as it should be; returns whether there was something to do."""
    stamp = settings.cache / "stamps" / step.slug
    wanted = fingerprint(step.inputs)
    if step.output.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return False
    console.print(f"setup: {step.name} … ({step.takes})", markup=False)
    started = time.monotonic()
    stamp.unlink(missing_ok=True)
    step.install()
    if not step.output.exists():
        raise CodewaveError(
            f"setup: {step.name}: there is still no {shown(step.output)}; see {shown(log(settings, step.slug))}"
        )
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(wanted, encoding="ascii")
    console.print(f"setup: {step.name}: done in {time.monotonic() - started:.0f} s", markup=False, style="green")
    return True


def fingerprint(inputs: Iterable[Path]) -> str:
    """Hash of the names and contents of files and folders, and of where the project lies."""
    digest = hashlib.sha256(str(PROJECT_ROOT).encode())
    for path in inputs:
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        for file in files:
            content = file.read_bytes()
            digest.update(f"\0{shown(file)}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


def run_command(
    settings: LocalSettings,
    name: str,
    command: list[str],
    *,
    folder: Path = PROJECT_ROOT,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a program with its output in a log.

    :param name: names the log.
    :param environment: added to this process'.
    :raises CodewaveError: if it fails, with its last telling line, the log's place and what to do.
    """
    file = log(settings, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as output:
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=os.environ | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except OSError as error:
            raise CodewaveError(f"setup: {name}: {command[0]} cannot start: {error.strerror}") from error
    if done.returncode:
        raise CodewaveError(failure(name, Path(command[0]).name, file))


def failure(name: str, program: str, file: Path) -> str:
    """What to tell about a program that failed, from its log."""
    text = file.read_text(encoding="utf-8", errors="replace")
    if any(sign in text for sign in NETWORK_SIGNS):
        advice = (
            "check the network (proxy; a private certificate authority: SSL_CERT_FILE), then run `make setup` again"
        )
    else:
        advice = "mend that, then run `make setup` again"
    return f"setup: {name}: {program} failed: {telling_line(text)}; all of it in {shown(file)}; {advice}"


def telling_line(text: str) -> str:
    """The first line that speaks of an error, else the last one that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines[-1:] or ["it said nothing"])[0][:300]


def log(settings: LocalSettings, name: str) -> Path:
    """Where the output of a step's program goes."""
    return settings.cache / "logs" / f"{name}.log"


def shown(path: Path) -> str:
    """A path as people read it: relative to the project where it lies in it."""
    return str(path.relative_to(PROJECT_ROOT)) if path.is_relative_to(PROJECT_ROOT) else str(path)
