"""Handing a job to the cluster: Flink's own client runs the job's ``main.py``, which builds the job and submits it."""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

from msgspec import Struct

from codewave.errors import CodewaveError
from codewave.local import flink
from codewave.local.job_code import job_folder
from codewave.local.job_properties import job_name
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings

PROPERTIES_VARIABLE: Final = "CODEWAVE_APPLICATION_PROPERTIES"
_CLIENT: Final = "org.apache.flink.client.cli.CliFrontend"
# The client lives for seconds: the quick compiler alone, and the collector that starts quickest.
_CLIENT_OPTIONS: Final = ("-Xmx768m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_CLIENT_GAVE_UP: Final = "org.apache.flink.client.program.ProgramAbortException"
_RAISED: Final = re.compile(r"[A-Za-z_.]*(Error|Exception): ")
_SUBMITTED: Final = re.compile(r"JobID ([0-9a-f]{32})")
_STATE_OF_REMOVED: Final = "--allowNonRestoredState"
"""Flink's advice where state has no operator to go to (``Checkpoints.throwNonRestoredStateException``)."""
_SUBMIT_DEADLINE_S: Final = 180.0


class Launch(Struct, frozen=True, kw_only=True):
    """One start of a job."""

    namespace: Namespace
    sinks: str
    parallelism: int
    code: Path
    savepoint: str | None
    main: Path
    drop_state_of_removed: bool = False
    """Whether the savepoint may hold state that nothing in the job takes."""

    @property
    def name(self) -> str:
        """Name of the job."""
        return job_name(self.namespace, self.sinks)

    def arguments(self, settings: LocalSettings, properties: Path) -> list[str]:
        """Arguments of Flink's client."""
        python = str(flink.FLINK_PYTHON / "bin" / "python")
        restore = ["-s", Path(self.savepoint.removeprefix("file:")).as_uri()] if self.savepoint else []
        if restore and self.drop_state_of_removed:
            restore.append("--allowNonRestoredState")
        return [
            *("run", "-d", "-m", settings.flink_url.removeprefix("http://"), *restore),
            *("-p", str(self.parallelism), "-pyexec", python, "-pyclientexec", python, "-pyfs", str(self.code)),
            *("-py", str(self.main), "--properties", str(properties), "--job-name", self.name),
        ]


def submit(settings: LocalSettings, launch: Launch, properties: Path) -> str:
    """Run Flink's client; returns the job's id. What it printed stays in ``submit.log`` beside the properties.

    :param properties: file of the job's properties.
    :raises CodewaveError: with the cause, if the job's code or the cluster refuses.
    """
    name = launch.name
    log = job_folder(settings, name) / "submit.log"
    command = flink.java_command(settings, "flink-client", _CLIENT, _CLIENT_OPTIONS)
    command += launch.arguments(settings, properties)
    inherited = {key: value for key, value in os.environ.items() if key not in flink.HIDDEN_VARIABLES}
    environment = inherited | flink.flink_environment(settings) | {PROPERTIES_VARIABLE: str(properties)}
    with log.open("wb") as output:
        try:
            subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_SUBMIT_DEADLINE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CodewaveError(f"{name}: was not submitted in {_SUBMIT_DEADLINE_S:.0f} s; see {log}") from None
    text = log.read_text(encoding="utf-8", errors="replace")
    if not (found := _SUBMITTED.search(text)):
        raise CodewaveError(f"{name}: could not be submitted: {root_cause(text)}; see {log}")
    return found[1]


def root_cause(trace: str) -> str:
    """Return the line of a stack trace, Java's or Python's, that names the first cause."""
    if _STATE_OF_REMOVED in trace:
        return (
            "the saved state holds something for an INSERT that the job no longer has, or that has another name now; "
            "put it back, or give its state up with `codewave job resume --drop-state-of-removed`"
        )
    # What follows says only that the client gave up because Python did.
    lines = [line.strip() for line in trace.split(_CLIENT_GAVE_UP, 1)[0].splitlines() if line.strip()]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    if causes:
        return causes[-1]
    raised = [line for line in lines if _RAISED.match(line)]
    return raised[-1] if raised else (lines or ["no message"])[-1 if _CLIENT_GAVE_UP in trace else 0]
