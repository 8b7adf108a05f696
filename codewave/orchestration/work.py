"""What every task does around its work: open the lake, tell the lineage of it, say which failures are final."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from codewave.errors import CodewaveError, WrongUseError
from codewave.orchestration.lake import open_lake

if TYPE_CHECKING:
    from datetime import datetime

    from iceberg.lake import Lake

_RUNS: Final = uuid.UUID("8f0e5a4c-6a0f-5d0e-9f7e-0c6d1f0b6a11")
"""Namespace of the ids that lineage knows Airflow's runs by."""


@contextmanager
def work(
    job: str,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] = (),
    interval: "tuple[datetime, datetime] | None" = None,
) -> Iterator["Lake"]:
    """The lake, for the work of a task.

    :param job: what the lineage calls it, ``derive executions`` say.
    :param inputs: tables that it reads; default what the queries of ``outputs`` read.
    :param outputs: tables that it writes.
    :param interval: start and end of the time that it is about, UTC.
    :raises AirflowFailException: with the reason, for what would fail again: refused by a rule, or wrong use.
    """
    from iceberg.lineage import run

    lake = open_lake()
    try:
        with run(lake, job, inputs, outputs, interval=interval, parent=_parent()):
            yield lake
    except CodewaveError as error:
        from airflow.sdk.exceptions import AirflowFailException

        if isinstance(error, _final()):
            raise AirflowFailException(str(error)) from error
        raise


def _final() -> tuple[type[CodewaveError], ...]:
    from iceberg.billing.refusal import CloseRefusedError, SealBrokenError
    from iceberg.derive.verdicts import BlockedError
    from iceberg.quality.errors import GateClosed

    return (WrongUseError, BlockedError, GateClosed, CloseRefusedError, SealBrokenError)


def _parent() -> tuple[str, str]:
    """Id and name of the DAG's run, as lineage knows it."""
    from airflow.sdk import get_current_context

    context: Any = get_current_context()
    run = context["dag_run"]
    return str(uuid.uuid5(_RUNS, f"{run.dag_id}/{run.run_id}")), run.dag_id


def plain(value: Any) -> Any:
    """A Struct as Airflow can keep it as a task's result: dicts, lists, numbers and text."""
    import msgspec

    return msgspec.to_builtins(value)
