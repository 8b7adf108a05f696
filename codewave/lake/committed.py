"""How many events the lake's tables hold, by their snapshots' own counts: a quick look, while a job runs."""

from codewave.errors import CodewaveError
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings
from udfs.route import ROUTES

_ROWS = "total-records"
"""Of a snapshot's summary (Iceberg specification, optional snapshot summary fields)."""


def committed_events(settings: LocalSettings, namespace: Namespace) -> int:
    """Rows of the event tables together.

    :raises CodewaveError: if the catalog does not answer.
    """
    import requests
    from pyiceberg.exceptions import RESTError

    from codewave.local.catalog import load_catalog

    tables = {output for output, _ in ROUTES.values()}
    try:
        catalog = load_catalog(settings)
        snapshots = [catalog.load_table(namespace.table(table)).current_snapshot() for table in tables]
    except (RESTError, requests.RequestException) as error:
        raise CodewaveError(f"catalog: {error}; is the stack up? `codewave status`") from None
    return sum(int(one.summary[_ROWS] or 0) for one in snapshots if one is not None and one.summary is not None)
