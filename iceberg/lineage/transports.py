"""Where OpenLineage events go: a file on this machine, Amazon DataZone on AWS."""

import fcntl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

DOMAIN_PROPERTY: Final = "codewave.datazone-domain"
"""Property of the catalog that names the DataZone domain; where it is set, events go there."""
EVENTS_FILE: Final = Path("lineage") / "events.jsonl"
"""Within the lake's folder of state; one event a line."""
DATAZONE_BYTES: Final = 300_000
"""Largest event that ``PostLineageEvent`` takes (botocore, service model of DataZone 2018-05-10, LineageEvent)."""


class Transport(Protocol):
    """Takes one event; raises whatever stops it."""

    def emit(self, event: "RunEvent") -> None:
        """Deliver one event."""


class LineageFile:
    """Appends events to a file, whole, also where several processes do at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def emit(self, event: "RunEvent") -> None:
        """As :meth:`Transport.emit`."""
        from openlineage.client.transport.file import FileConfig, FileTransport

        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            FileTransport(FileConfig(log_file_path=str(self._path), append=True)).emit(event)


class DataZone:
    """Posts events to a DataZone domain.

    :param client: of boto3 for ``datazone``; default one of the environment's region and role.
    """

    def __init__(self, domain: str, client: Any = None) -> None:
        self._domain = domain
        self._client = client

    def emit(self, event: "RunEvent") -> None:
        """As :meth:`Transport.emit`; the same event again is not taken twice."""
        import boto3
        from openlineage.client.serde import Serde

        client = self._client or boto3.client("datazone")
        kind = event.eventType.value if event.eventType else "OTHER"
        client.post_lineage_event(
            domainIdentifier=self._domain,
            event=Serde.to_json(event).encode(),
            clientToken=f"{event.run.runId}-{kind}",
        )


def transport_for(state: Path, catalog_properties: Mapping[str, str]) -> Transport:
    """The transport of a lake.

    :param state: the lake's folder of state.
    """
    domain = catalog_properties.get(DOMAIN_PROPERTY)
    return DataZone(domain) if domain else LineageFile(state / EVENTS_FILE)
