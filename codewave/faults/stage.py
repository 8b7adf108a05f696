"""The stage for a trial: a stack that runs, an empty namespace, and its job behind fault proxies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from codewave.errors import CodewaveError
from codewave.faults.fault import Proxies, Scene
from codewave.local import stack
from codewave.local.flink_rest import FlinkRest
from codewave.local.jobs import cancel_job, start_job
from codewave.local.namespace import Namespace
from codewave.local.reset import reset_namespace
from codewave.local.settings import LocalSettings
from codewave.workload.ids import random_for


@contextmanager
def staged(settings: LocalSettings, namespace: Namespace, seed: int, say: Callable[[str], None]) -> Iterator[Scene]:
    """Start the stack, empty the namespace and start its job; at the end the job is cancelled and the stack stays up.

    :param say: told each step.
    :raises CodewaveError: if another job runs: faults strike whole processes, which jobs share.
    """
    stack.up(settings, lambda part, message: say(f"{part}: {message}"))
    _refuse_other_jobs(settings, namespace)
    reset_namespace(settings, namespace, say)
    with Proxies(settings) as proxies:
        say("starting the job")
        start_job(settings, namespace, overrides=proxies.overrides)
        try:
            yield Scene(settings=settings, namespace=namespace, proxies=proxies, random=random_for(seed, "strikes"))
        finally:
            # It reaches everything through proxies that end with the trial.
            with suppress(CodewaveError):
                cancel_job(settings, namespace)


def _refuse_other_jobs(settings: LocalSettings, namespace: Namespace) -> None:
    ended = {"FINISHED", "CANCELED", "FAILED"}
    jobs = FlinkRest(settings.flink_url).jobs()
    others = [str(job["name"]) for job in jobs if job["state"] not in ended and job["name"] != namespace.job()]
    if others:
        raise CodewaveError(
            f"faults: {', '.join(others)} runs on this stack, whose processes are about to be killed; stop it first "
            "with `codewave job stop`"
        )
