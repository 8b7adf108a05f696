"""Commits that somebody else was faster than: start over from reading, a bounded number of times."""

from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from pyiceberg.exceptions import CommitFailedException, ValidationException
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from codewave.errors import CodewaveError

ATTEMPTS: Final = 12
"""Then it gives up."""
_FIRST_WAIT_S: Final = 0.05
_LONGEST_WAIT_S: Final = 4.0
_CONFLICTS: Final = (CommitFailedException, ValidationException)

P = ParamSpec("P")
T = TypeVar("T")


def start_over(place: str, attempt: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``attempt``, and again from its start wherever its commit came too late.

    :param place: what is worked on, for the message.
    :raises CodewaveError: if others keep committing first.
    """
    conflicts = Retrying(
        retry=retry_if_exception_type(_CONFLICTS),
        wait=wait_random_exponential(multiplier=_FIRST_WAIT_S, max=_LONGEST_WAIT_S),
        stop=stop_after_attempt(ATTEMPTS),
        reraise=True,
    )
    try:
        return conflicts(attempt, *args, **kwargs)
    except _CONFLICTS as error:
        raise CodewaveError(f"{place}: others kept committing to it; run it again ({error})") from error
