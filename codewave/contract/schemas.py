"""The JSON Schemas of the event types, generated from the Structs: one file per type and version.

They are committed in ``codewave/contract/schemas/`` for people and tools that do not run this code; a test compares
them with the Structs. ``codewave contract generate`` writes them again.
"""

import json
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import inspect

from codewave.contract.classification import classification_of
from codewave.contract.upcast import REGISTRY, TypeVersion

Schema = dict[str, Any]

FOLDER: Final = Path(__file__).parent / "schemas"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: str, version: int) -> Schema:
    """Return the JSON Schema (draft 2020-12) of a type's version, without references.

    :raises KeyError: for a type or version that the contract does not have.
    """
    struct = REGISTRY.structs[kind, version]
    (described,), definitions = msgspec.json.schema_components([struct], ref_template="{name}")
    schema = _inlined(described, definitions)
    _classify(schema, inspect.type_info(struct))
    properties = schema["properties"]
    properties["type"] = {"const": kind, "description": "The event's type.", "x-classification": "metadata"}
    properties["version"]["const"] = version
    head = {
        "$schema": DIALECT,
        "$id": f"urn:codewave:event:{kind}:{version}",
        "title": f"{kind}, version {version}",
    }
    return head | {key: value for key, value in schema.items() if key != "title"}


def file_name(of: TypeVersion) -> str:
    """Return the name of a schema's file, such as ``document.edited.v1.json``."""
    kind, version = of
    return f"{kind}.v{version}.json"


def current_schemas() -> dict[str, Schema]:
    """Return the schema of every type and version by file name, as the Structs are now."""
    return {file_name(of): schema_of(*of) for of in REGISTRY.structs}


def schema_files() -> dict[str, str]:
    """Return every schema's file name and text, as committed."""
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in current_schemas().items()}


def write_schemas(folder: Path = FOLDER) -> list[Path]:
    """Write every schema's file and remove those of types that are gone; return the files that changed."""
    wanted = schema_files()
    folder.mkdir(parents=True, exist_ok=True)
    changed = stale_schemas(folder)
    for path in changed:
        if path.name in wanted:
            path.write_text(wanted[path.name], encoding="utf-8")
        else:
            path.unlink()
    return changed


def stale_schemas(folder: Path = FOLDER) -> list[Path]:
    """Return the files of ``folder`` that are missing, differ from the Structs or belong to no type."""
    wanted = schema_files()
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return [folder / name for name in sorted(wanted | present) if wanted.get(name) != present.get(name)]


def read_schemas(folder: Path = FOLDER) -> dict[str, Schema]:
    """Return the committed schemas of a folder by file name."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def _inlined(schema: Any, definitions: dict[str, Schema]) -> Any:
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        described = {key: value for key, value in schema.items() if key != "$ref"}
        return _inlined(definitions[schema["$ref"]], definitions) | described
    return {key: _inlined(value, definitions) for key, value in schema.items()}


def _classify(schema: Schema, info: inspect.Type) -> None:
    """Write each value's classification into its schema."""
    match info:
        case inspect.Metadata():
            if classification := classification_of(info.extra):
                schema["x-classification"] = classification
            _classify(schema, info.type)
        case inspect.StructType():
            for field in info.fields:
                _classify(schema["properties"][field.encode_name], field.type)
        case inspect.ListType():
            _classify(schema["items"], info.item_type)
        case inspect.TupleType():
            for item, item_info in zip(schema["prefixItems"], info.item_types, strict=True):
                _classify(item, item_info)
        case inspect.UnionType():
            for item, item_info in zip(schema["anyOf"], info.types, strict=True):
                _classify(item, item_info)
