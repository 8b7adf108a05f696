"""A trial: faults strike by a schedule under load; then what was sent is compared with what is stored."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final

from msgspec import Struct

from codewave.errors import CodewaveError
from codewave.faults.fault import Fault, Scene
from codewave.faults.load import Load
from codewave.faults.processes import bring_back, is_gone, job_state
from codewave.faults.schedule import Planned
from codewave.faults.sent import sent_together
from codewave.lake.committed import committed_events
from codewave.local import stack
from codewave.local.flink_rest import FlinkRest
from codewave.run.report import Report, report_on
from codewave.run.settle import wait_until_stored
from codewave.workload.truth import Truth

_LOOK_S: Final = 1.0
_COUNT_S: Final = 5.0
_GONE_LOOKS: Final = 5
"""A job that is not seen so many looks in a row is gone; a busy cluster may fail to answer once."""


class Struck(Struct, kw_only=True):
    """A fault that was made."""

    name: str
    at_s: float
    """Seconds after the load began."""
    seconds: float
    """From its beginning until it was healed."""
    did: str
    recovered_after_s: float | None = None
    """From its beginning until a checkpoint that began after it was healed was complete: then everything works again.
    None where the next fault came first."""
    failed: bool = False
    """It could not be made, or not be healed by itself; ``did`` says why."""


class Told(Struct, frozen=True, kw_only=True):
    """How a trial is going."""

    elapsed_s: float
    sent: int
    stored: int
    """Committed to the lake."""
    job: str
    """Flink's word for what the job does."""


class Trial:
    """Faults under one load.

    :param tell: told how it goes, about once a second.
    :param say: told what strikes, and what it did.
    """

    def __init__(
        self, scene: Scene, load: Load, tell: Callable[[Told], None], say: Callable[[Told, str], None]
    ) -> None:
        self.struck: list[Struck] = []
        self.revived = 0
        """How often the job had to be resumed beside what the faults themselves do."""
        self._scene = scene
        self._load = load
        self._tell = tell
        self._say = say
        self._began = time.monotonic()
        self._stored = 0
        self._counted_at = 0.0
        self._gone_looks = 0
        self._healed_at_ms = 0

    def run(
        self, planned: Sequence[Planned], faults: Mapping[str, Fault], seconds: float, stopped: Callable[[], bool]
    ) -> None:
        """Let the faults strike, each at its time or once the one before is healed.

        :param faults: by name, at least those that are planned.
        :param seconds: the load goes on for at least so long.
        :param stopped: once true, no more faults begin.
        """
        for one in planned:
            self._wait_until(one.at_s, stopped)
            if stopped():
                return
            self._strike(one, faults[one.fault])
        self._wait_until(seconds, stopped)

    def finish(self) -> tuple[Truth, Report]:
        """End the load, wait until all of it is stored, and compare.

        :returns: what was sent, and what became of it.
        """
        self._load.stop()
        truth = sent_together([self._load.finish(), *self._scene.sent])
        self._say(self._now(), "everything is sent; waiting until it is stored")
        settings, namespace = self._scene.settings, self._scene.namespace
        result = wait_until_stored(settings, namespace, truth, self._look)
        return truth, report_on(settings, namespace, truth, result)

    def _strike(self, one: Planned, fault: Fault) -> None:
        began = time.monotonic()
        length = f" for {one.seconds:.0f} s" if one.seconds else ""
        self._say(self._now(), f"{one.fault}{length}")
        struck = Struck(name=one.fault, at_s=round(began - self._began, 1), seconds=0.0, did="")
        try:
            struck.did = self._strike_aside(one, fault)
        except Exception as error:  # noqa: BLE001 - the trial goes on, whatever is wrong with one fault
            struck.did = str(error) if isinstance(error, CodewaveError) else f"{type(error).__name__}: {error}"
            struck.failed = True
            stack.up(self._scene.settings, lambda _part, _message: None)
        struck.seconds = round(time.monotonic() - began, 1)
        self.struck.append(struck)
        self._healed_at_ms = time.time_ns() // 1_000_000
        self._count()  # where one fault follows another there is no other look between them
        self._say(self._now(), struck.did)

    def _strike_aside(self, one: Planned, fault: Fault) -> str:
        """Strike in a thread of its own, so that it is healed even if this one is interrupted; tell meanwhile."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            striking = pool.submit(fault.strike, self._scene, one.seconds)
            while not wait([striking], _LOOK_S).done:
                self._tell(self._now())
            return striking.result()

    def _wait_until(self, at_s: float, stopped: Callable[[], bool]) -> None:
        while (left := at_s - self._elapsed()) > 0 and not stopped() and self._load.running:
            self._look()
            time.sleep(min(left, _LOOK_S))

    def _look(self, stored: int | None = None) -> None:
        """See how the job is: resume it where it is gone, and note when it has recovered."""
        if stored is not None:
            self._stored = stored
        elif time.monotonic() - self._counted_at > _COUNT_S:
            self._count()
        now = self._now()
        self._tell(now)
        self._gone_looks = self._gone_looks + 1 if is_gone(self._scene) else 0
        if self._gone_looks >= _GONE_LOOKS:
            self._gone_looks = 0
            self.revived += 1
            self._say(self._now(), f"the job is gone: {bring_back(self._scene)}")
        last = self.struck[-1] if self.struck else None
        if last and last.recovered_after_s is None and self._checkpointed_since_healing():
            last.recovered_after_s = round(self._elapsed() - last.at_s, 1)

    def _checkpointed_since_healing(self) -> bool:
        rest = FlinkRest(self._scene.settings.flink_url)
        name = self._scene.namespace.job()
        try:
            ids = [str(job["jid"]) for job in rest.jobs() if job["name"] == name and job["state"] == "RUNNING"]
            newest = [(rest.checkpoints(job_id).get("latest") or {}).get("completed") for job_id in ids]
        except CodewaveError:
            return False
        return any(one and one["trigger_timestamp"] > self._healed_at_ms for one in newest)

    def _count(self) -> None:
        self._counted_at = time.monotonic()
        try:
            self._stored = committed_events(self._scene.settings, self._scene.namespace)
        except CodewaveError:
            return  # the catalog may be away: the last count stands

    def _now(self) -> Told:
        sent = self._load.sent + sum(truth.events for truth in self._scene.sent)
        return Told(elapsed_s=self._elapsed(), sent=sent, stored=self._stored, job=job_state(self._scene))

    def _elapsed(self) -> float:
        return time.monotonic() - self._began
