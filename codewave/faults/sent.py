"""What was sent from several sources, as one truth."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import fields

from codewave.workload.truth import Truth

_OF_THE_FIRST: Final = frozenset({"seed", "start_ms"})


def sent_together(truths: Sequence[Truth]) -> Truth:
    """One truth about everything that ``truths`` name; no two of them share an ordering key.

    :param truths: at least one; ``seed`` and ``start_ms`` are the first one's.
    """
    first = truths[0]
    return Truth(
        **{
            field.name: getattr(first, field.name)
            if field.name in _OF_THE_FIRST
            else _sum([getattr(truth, field.name) for truth in truths])
            for field in fields(Truth)
        }
    )


def _sum(values: list[Any]) -> Any:
    first = values[0]
    if isinstance(first, bool):
        return any(values)
    if isinstance(first, int):
        return sum(values)
    if isinstance(first, list):
        return [item for value in values for item in value]
    if isinstance(first, Struct):
        return type(first)(
            **{field.name: _sum([getattr(value, field.name) for value in values]) for field in fields(first)}
        )
    return _sum_of_dicts(values)


def _sum_of_dicts(values: list[dict[str, Any]]) -> dict[str, Any]:
    if any(isinstance(item, tuple) for value in values for item in value.values()):
        return {key: item for value in values for key, item in value.items()}
    return dict(sum((Counter(value) for value in values), Counter()))
