"""Brings the lake's tables to what their folders say: creates them, and evolves them where that is safe."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlparse

from msgspec import Struct
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError
from pyiceberg.table import Table

from codewave.errors import CodewaveError
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings
from iceberg.definition import TableDefinition, read_definitions
from iceberg.evolve import evolution
from iceberg.schema import iceberg_schema, partition_spec, sort_order


class Change(Struct, frozen=True):
    """One thing that was done to a table."""

    table: str
    action: Literal["created", "column added", "column widened", "described", "sorted", "property set"]
    detail: str


def apply_tables(settings: LocalSettings, namespace: str = "rooms") -> list[Change]:
    """Create and evolve the tables of a namespace in the local stack's catalog.

    :returns: what was changed; nothing when all was as it should be.
    :raises CodewaveError: for a change that is not safe, before anything is changed, or if the catalog is down.
    """
    from codewave.local.catalog import load_catalog

    return apply_definitions(load_catalog(settings), Namespace(namespace), read_definitions())


def apply_definitions(catalog: Catalog, namespace: Namespace, definitions: Iterable[TableDefinition]) -> list[Change]:
    """Create and evolve tables in any catalog; as :func:`apply_tables`."""
    catalog.create_namespace_if_not_exists(namespace.name)
    there = {name for _, name in catalog.list_tables(namespace.name)}
    wanted = list(definitions)
    old = [
        (definition, catalog.load_table(namespace.table(definition.name)))
        for definition in wanted
        if definition.name in there
    ]
    plans = [(definition, table, evolution(definition, table)) for definition, table in old]
    if refused := [reason for _, _, plan in plans for reason in plan.refused]:
        raise CodewaveError(f"tables: nothing was changed: {'; '.join(refused)}")
    changes = [_create(catalog, namespace, definition) for definition in wanted if definition.name not in there]
    for definition, table, plan in plans:
        plan.carry_out(table)
        changes += [Change(definition.name, action, detail) for action, detail in plan.steps()]
    return changes


def drop_tables(settings: LocalSettings, namespace: str) -> list[str]:
    """Remove a namespace of the local stack: its tables and their files.

    :returns: names of the tables that were there.
    :raises CodewaveError: if the catalog is down.
    """
    from codewave.local.catalog import load_catalog

    return drop_namespace(load_catalog(settings), Namespace(namespace), settings.warehouse)


def drop_namespace(catalog: Catalog, namespace: Namespace, warehouse: Path) -> list[str]:
    """Remove a namespace, its tables and their files; only files under ``warehouse`` are removed."""
    try:
        tables = catalog.list_tables(namespace.name)
    except NoSuchNamespaceError:
        return []
    for identifier in tables:
        location = catalog.load_table(identifier).location()
        catalog.drop_table(identifier)
        _remove_files(location, warehouse)
    catalog.drop_namespace(namespace.name)
    return sorted(name for _, name in tables)


def _create(catalog: Catalog, namespace: Namespace, definition: TableDefinition) -> Change:
    schema = iceberg_schema(definition)
    catalog.create_table(
        namespace.table(definition.name),
        schema,
        partition_spec=partition_spec(definition, schema),
        sort_order=sort_order(definition, schema),
        properties=definition.all_properties(),
    )
    return Change(definition.name, "created", f"{len(definition.columns)} columns")


def _remove_files(location: str, warehouse: Path) -> None:
    folder = Path(unquote(urlparse(location).path)).resolve()
    if warehouse.resolve() not in folder.parents:
        raise CodewaveError(f"tables: {location} is not in the warehouse {warehouse}; its files were left in place")
    shutil.rmtree(folder, ignore_errors=True)


def record_counts(catalog: Catalog, namespace: Namespace) -> dict[str, int]:
    """Rows of each table that exists, by its newest snapshot; tables of a namespace that does not exist: none."""
    try:
        tables = catalog.list_tables(namespace.name)
    except NoSuchNamespaceError:
        return {}
    return {identifier[-1]: _records(catalog.load_table(identifier)) for identifier in tables}


def _records(table: Table) -> int:
    snapshot = table.current_snapshot()
    summary = snapshot.summary if snapshot else None
    return int(summary["total-records"] or 0) if summary else 0
