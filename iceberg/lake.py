"""The lake as everything that works on it gets it: its tables, and the engine that queries them."""

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table

from codewave.errors import CodewaveError, WrongUseError
from codewave.local.namespace import LIVE, Namespace
from iceberg.definition import TableDefinition, read_definitions
from iceberg.engine import DuckDbEngine, Engine

if TYPE_CHECKING:
    from codewave.local.settings import LocalSettings


class Lake(Struct, frozen=True):
    """One namespace of the lake."""

    catalog: Catalog
    namespace: Namespace
    engine: Engine
    state: Path
    """Folder for what is kept beside the tables: reports, lineage."""
    definitions: tuple[TableDefinition, ...]
    """Of every table, by name."""

    def definition(self, table: str) -> TableDefinition:
        """The definition of a table.

        :raises WrongUseError: if there is no folder of that name.
        """
        for definition in self.definitions:
            if definition.name == table:
                return definition
        raise WrongUseError(f"tables: no table {table!r}; tables: {', '.join(one.name for one in self.definitions)}")

    def load(self, table: str) -> Table:
        """The table, at its newest snapshot.

        :raises CodewaveError: if it has not been made yet.
        """
        try:
            return self.catalog.load_table(self.namespace.table(table))
        except NoSuchTableError:
            raise CodewaveError(
                f"tables: {self.namespace.name}.{table} does not exist; make it with `codewave tables apply`"
            ) from None


def local_lake(settings: "LocalSettings", namespace: str = LIVE) -> Lake:
    """The local stack's lake.

    :raises CodewaveError: if the catalog is down.
    """
    from codewave.local.catalog import load_catalog

    catalog = load_catalog(settings)
    engine = DuckDbEngine(catalog, namespace, settings.warehouse)
    return Lake(catalog, Namespace(namespace), engine, settings.data / "lake", tuple(read_definitions()))
