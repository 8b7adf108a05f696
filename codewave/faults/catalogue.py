"""All faults, and those that are chosen by name."""

from typing import Final

from codewave.errors import WrongUseError
from codewave.faults.catalog import CATALOG_FAULTS
from codewave.faults.checkpoints import CHECKPOINT_FAULTS
from codewave.faults.clocks import CLOCK_FAULTS
from codewave.faults.fault import Fault
from codewave.faults.processes import PROCESS_FAULTS
from codewave.faults.search import SEARCH_FAULTS
from codewave.faults.stream import STREAM_FAULTS

FAULTS: Final[tuple[Fault, ...]] = (
    *PROCESS_FAULTS,
    *STREAM_FAULTS,
    *CATALOG_FAULTS,
    *CHECKPOINT_FAULTS,
    *SEARCH_FAULTS,
    *CLOCK_FAULTS,
)


def choose(only: str = "") -> list[Fault]:
    """The faults of these names, in the catalogue's order.

    :param only: names separated by commas; all where empty.
    :raises WrongUseError: a name that does not exist, with those that do.
    """
    names = {name.strip() for name in only.split(",") if name.strip()}
    unknown = sorted(names - {fault.name for fault in FAULTS})
    if unknown:
        known = ", ".join(fault.name for fault in FAULTS)
        raise WrongUseError(f"--only {', '.join(unknown)}: no such fault; faults: {known}")
    return [fault for fault in FAULTS if not names or fault.name in names]
