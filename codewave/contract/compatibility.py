"""Whether the event contract still accepts everything that the last release accepted.

The schemas of each release are committed under ``codewave/contract/released/v<release>/``. Within a version of a
type, a field may be added as optional and a rule may be loosened; anything else takes a new version and an upcaster.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from codewave.contract.schemas import Schema

RELEASED_FOLDER: Final = Path(__file__).parent / "released"

_LOWER_BOUNDS: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_UPPER_BOUNDS: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")


def last_release(folder: Path = RELEASED_FOLDER) -> Path:
    """Return the folder of the newest release, by version number.

    :raises FileNotFoundError: when no release is there.
    """
    releases = sorted(folder.glob("v*"), key=lambda path: [int(part) for part in path.name[1:].split(".")])
    if not releases:
        raise FileNotFoundError(f"{folder}: no released schemas; copy the schemas folder to v<release> there")
    return releases[-1]


def breaking_changes(released: Mapping[str, Schema], current: Mapping[str, Schema]) -> list[str]:
    """Compare schemas by file name.

    :returns: one line per breaking change, such as
        ``document.edited.v1: payload.checksum is gone; keep it or make a new version``.
    """
    found = []
    for name, old in released.items():
        kind = name.removesuffix(".json")
        if name not in current:
            found.append(f"{kind}: the type is gone; old events of it could no longer be read")
            continue
        changes = _compare("", old, current[name])
        found += [f"{kind}: {path or 'the event'} {what}; keep it or make a new version" for path, what in changes]
    return found


Change = tuple[str, str]
"""Path of the field, and what became of it."""


def _compare(path: str, old: Schema, new: Schema) -> Iterator[Change]:
    """Yield what ``old`` accepts and ``new`` refuses, by rule."""
    if "anyOf" in old or "anyOf" in new:
        yield from _compare_branches(path, old, new)
        return
    if old.get("type") != new.get("type"):
        yield path, f"was {_type(old)} and is {_type(new)}"
        return
    for rule in (_objects, _arrays, _enums, _bounds, _patterns):
        yield from rule(path, old, new)


def _compare_branches(path: str, old: Schema, new: Schema) -> Iterator[Change]:
    """Compare alternatives (``anyOf``): each old one needs one of the same type among the new."""
    by_type = {_type(branch): branch for branch in new.get("anyOf", [new])}
    for branch in old.get("anyOf", [old]):
        if _type(branch) in by_type:
            yield from _compare(path, branch, by_type[_type(branch)])
        else:
            yield path, f"was {_type(branch)} and may no longer be"


def _type(schema: Schema) -> str:
    if "type" in schema:
        return str(schema["type"])
    return "a value of a list" if _values(schema) is not None else "of any type"


def _objects(path: str, old: Schema, new: Schema) -> Iterator[Change]:
    prefix = f"{path}." if path else ""
    before, after = old.get("properties", {}), new.get("properties", {})
    for name, schema in before.items():
        if name in after:
            yield from _compare(prefix + name, schema, after[name])
        else:
            yield prefix + name, "is gone"
    for name in new.get("required", []):
        if name not in old.get("required", []):
            yield prefix + name, "became required" if name in before else "was added as required"


def _arrays(path: str, old: Schema, new: Schema) -> Iterator[Change]:
    before, after = old.get("prefixItems", []), new.get("prefixItems", [])
    if len(before) != len(after):
        yield path, f"had {len(before)} places and has {len(after)}"
        return
    for index, (old_item, new_item) in enumerate(zip(before, after, strict=True)):
        yield from _compare(f"{path}[{index}]", old_item, new_item)
    if isinstance(old.get("items"), dict):
        if isinstance(new.get("items"), dict):
            yield from _compare(f"{path}[]", old["items"], new["items"])
        elif new.get("items") is False:
            yield path, "may no longer hold elements"


def _enums(path: str, old: Schema, new: Schema) -> Iterator[Change]:
    before, after = _values(old), _values(new)
    if after is None:
        return
    if before is None:
        yield path, f"is now one of {', '.join(map(str, after))}"
    elif gone := [value for value in before if value not in after]:
        yield path, f"may no longer be {', '.join(map(str, gone))}"


def _values(schema: Schema) -> list[object] | None:
    if "const" in schema:
        return [schema["const"]]
    values: list[object] | None = schema.get("enum")
    return values


def _bounds(path: str, old: Schema, new: Schema) -> Iterator[Change]:
    tightened: tuple[tuple[tuple[str, ...], Callable[[float, float], bool]], ...] = (
        (_LOWER_BOUNDS, lambda before, after: after > before),
        (_UPPER_BOUNDS, lambda before, after: after < before),
    )
    for bounds, is_tighter in tightened:
        for bound in bounds:
            if bound not in new:
                continue
            if bound not in old:
                yield path, f"has a new {bound} of {new[bound]}"
            elif is_tighter(old[bound], new[bound]):
                yield path, f"had {bound} {old[bound]} and has {new[bound]}"


def _patterns(path: str, old: Schema, new: Schema) -> Iterator[Change]:
    # Whether a regular expression accepts all that another does cannot be told in general: any change counts.
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield path, "has another pattern"
