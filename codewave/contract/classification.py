"""The classification of every field of every event type, as its Struct says."""

from collections.abc import Iterable
from typing import get_args

from msgspec import Struct, inspect

from codewave.contract.events import Event
from codewave.contract.fields import Classification


class Leaf(Struct, frozen=True):
    """A value that is not made of other values.

    ``path`` is as in ``payload.patches[][2]``: ``[]`` any element of a list, ``[2]`` the third of a tuple.
    """

    path: str
    classification: Classification


class UnclassifiedFieldError(TypeError):
    """A field of a Struct has no classification: give its type ``Meta(extra={"classification": …})``."""


def leaves(struct: type[Event]) -> list[Leaf]:
    """Return every leaf of an event type, in the order of its fields.

    :raises UnclassifiedFieldError: naming the field that has none.
    """
    return [Leaf("type", "metadata"), *_leaves("", inspect.type_info(struct), None)]


def classification_of(extra: object) -> Classification | None:
    """Return the classification in a ``Meta``'s ``extra``, where it has one."""
    value = extra.get("classification") if isinstance(extra, dict) else None
    return value if value in get_args(Classification) else None


def _leaves(path: str, info: inspect.Type, known: Classification | None) -> list[Leaf]:
    match info:
        case inspect.Metadata():
            return _leaves(path, info.type, classification_of(info.extra) or known)
        case inspect.StructType():
            prefix = f"{path}." if path else ""
            return _flat(_leaves(prefix + field.encode_name, field.type, None) for field in info.fields)
        case inspect.ListType():
            return _leaves(f"{path}[]", info.item_type, known)
        case inspect.TupleType():
            return _flat(_leaves(f"{path}[{index}]", item, known) for index, item in enumerate(info.item_types))
        case inspect.UnionType():
            return _flat(_leaves(path, item, known) for item in info.types if not isinstance(item, inspect.NoneType))
    if known is None:
        raise UnclassifiedFieldError(f"{path}: no classification; give its type Meta(extra={{'classification': …}})")
    return [Leaf(path, known)]


def _flat(groups: Iterable[list[Leaf]]) -> list[Leaf]:
    return [leaf for group in groups for leaf in group]
