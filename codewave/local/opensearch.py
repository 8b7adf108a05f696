"""Talking to OpenSearch on this machine: its address, users, client, and the indices of a namespace."""

import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from codewave.errors import CodewaveError
from codewave.local.namespace import Namespace
from codewave.local.secret_file import write_secret
from codewave.local.settings import LOOPBACK, PROJECT_ROOT, LocalSettings

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

ADMIN: Final = "admin"
STREAM_WRITER: Final = "stream_writer"
"""Writes the pipeline's indices and nothing else: the Flink job's user."""
DEBUGGER: Final = "debugger"
"""Reads the pipeline's indices."""
USERS: Final = (ADMIN, STREAM_WRITER, DEBUGGER)

DEFINITIONS: Final = PROJECT_ROOT / "opensearch"
COMPONENT: Final = "codewave-text"
"""The settings that every template is composed of."""

_PASSWORD_BYTES: Final = 24
_ANSWER_TIMEOUT_S: Final = 2.0
_CALL_TIMEOUT_S: Final = 30.0
_PREFIXED_PRIORITY: Final = 100
"""Added to the priority of a prefixed template: `activity-activity-*` must win over the live `activity-*`."""
_AGE: Final = re.compile(r"(\d+)d")


def opensearch_folder(settings: LocalSettings) -> Path:
    """Where the node keeps its configuration, certificate, passwords and data."""
    return settings.data / "opensearch"


def certificate_file(settings: LocalSettings) -> Path:
    """The node's own certificate (PEM), which clients trust."""
    return opensearch_folder(settings) / "certificate.pem"


def search_url(settings: LocalSettings) -> str:
    """URL of OpenSearch."""
    return f"https://{LOOPBACK}:{settings.port('opensearch')}"


def search_credentials(settings: LocalSettings, user: str) -> tuple[str, str]:
    """Name and password of ``admin``, ``stream_writer`` or ``debugger``.

    :raises CodewaveError: before the first start, which makes them, or for another user.
    """
    known = _read_credentials(settings)
    if user not in known:
        raise CodewaveError(f"opensearch: no password of user {user!r} yet; start the stack with `uv run codewave up`")
    return user, known[user]


def create_credentials(settings: LocalSettings) -> dict[str, str]:
    """Passwords by name, for the users and for the node's key; made at random once per data folder, mode 0600."""
    known = _read_credentials(settings)
    file = _credentials_file(settings)
    if not known:
        # The plugin asks for a password of many kinds of characters; random ones may lack one.
        known = {name: f"{secrets.token_urlsafe(_PASSWORD_BYTES)}-aA1" for name in (*USERS, "node")}
        file.parent.mkdir(parents=True, exist_ok=True)
        write_secret(file, msgspec.json.encode(known).decode())
    return known


def search_client(settings: LocalSettings, user: str = ADMIN, *, timeout_s: float = _CALL_TIMEOUT_S) -> "OpenSearch":
    """An opensearch-py client that checks the node's certificate.

    :raises CodewaveError: before the first start.
    """
    from opensearchpy import OpenSearch

    return OpenSearch(
        hosts=[{"host": LOOPBACK, "port": settings.port("opensearch")}],
        http_auth=search_credentials(settings, user),
        use_ssl=True,
        verify_certs=True,
        ca_certs=str(certificate_file(settings)),
        timeout=timeout_s,
        max_retries=0,
    )


def search_answers(settings: LocalSettings) -> bool:
    """Whether the node answers and its indices can be used."""
    from opensearchpy.exceptions import OpenSearchException

    if not certificate_file(settings).exists():
        return False
    try:
        client = search_client(settings, timeout_s=_ANSWER_TIMEOUT_S)
        return client.cluster.health()["status"] in {"green", "yellow"}
    except (OpenSearchException, CodewaveError, OSError):
        return False


def read_definitions(kind: str) -> dict[str, dict[str, Any]]:
    """The JSON files of ``opensearch/<kind>`` (templates, components, policies), by name."""
    return {file.stem: msgspec.json.decode(file.read_bytes()) for file in sorted((DEFINITIONS / kind).glob("*.json"))}


def index_template(name: str, definition: dict[str, Any], namespace: Namespace) -> tuple[str, dict[str, Any]]:
    """Name and body of a template as a namespace needs it: everything with the namespace's prefix."""
    prefix = namespace.index_prefix
    patterns = [f"{prefix}{pattern}" for pattern in definition["index_patterns"]]
    priority = definition["priority"] + (_PREFIXED_PRIORITY if prefix else 0)
    return f"codewave-{namespace.name}-{name}", definition | {"index_patterns": patterns, "priority": priority}


def apply_templates(settings: LocalSettings, namespace: str) -> list[str]:
    """Create or replace the index templates of a namespace; indices that exist get the fields they do not have.

    An index whose fields contradict its template stays as it is: what does not fit into it is kept as refused.

    :returns: names of the templates.
    """
    from opensearchpy.exceptions import RequestError

    client = search_client(settings)
    for name, component in read_definitions("components").items():
        client.cluster.put_component_template(name=f"codewave-{name}", body=component)
    named = [index_template(key, body, Namespace(namespace)) for key, body in read_definitions("templates").items()]
    for name, body in named:
        client.indices.put_index_template(name=name, body=body)
    mappings = {key: body["template"]["mappings"] for key, body in read_definitions("templates").items()}
    for name, kind, _ in _indices(settings, namespace):
        with suppress(RequestError):
            client.indices.put_mapping(index=name, body=mappings[kind])
    return [name for name, _ in named]


def namespace_indices(settings: LocalSettings, namespace: str) -> list[str]:
    """Names of the indices that exist in a namespace."""
    return sorted(name for name, _, _ in _indices(settings, namespace))


def delete_indices(settings: LocalSettings, namespace: str) -> list[str]:
    """Delete the indices and templates of a namespace; returns the names of the indices."""
    client, names = search_client(settings), namespace_indices(settings, namespace)
    _delete(settings, names)
    for key, body in read_definitions("templates").items():
        name, _ = index_template(key, body, Namespace(namespace))
        client.indices.delete_index_template(name=name, ignore=[404])
    return names


def expire_indices(settings: LocalSettings, namespace: str, today: date) -> list[str]:
    """Delete the daily indices that the policies keep no longer; what ISM does on AWS.

    :returns: names of the deleted indices.
    """
    days = {kind: hot_days(policy) for kind, policy in read_definitions("policies").items()}
    old = [
        name
        for name, kind, day in _indices(settings, namespace)
        if day is not None and kind in days and day < today - timedelta(days=days[kind])
    ]
    _delete(settings, old)
    return sorted(old)


def hot_days(policy: dict[str, Any]) -> int:
    """How many days a policy keeps an index before it deletes it."""
    (transition,) = policy["policy"]["states"][0]["transitions"]
    match = _AGE.fullmatch(transition["conditions"]["min_index_age"])
    if match is None:
        raise CodewaveError(f"opensearch/policies: {transition}: min_index_age must be in days, such as 14d")
    return int(match[1])


def _indices(settings: LocalSettings, namespace: str) -> Iterable[tuple[str, str, date | None]]:
    """Name, kind and day of each index of a namespace."""
    kinds = "|".join(map(re.escape, read_definitions("templates")))
    own = re.compile(rf"{re.escape(Namespace(namespace).index_prefix)}({kinds})(?:-(\d{{4}}\.\d\d\.\d\d))?")
    for name in search_client(settings).indices.get_settings(index="*", filter_path="*.settings.index.uuid"):
        if match := own.fullmatch(name):
            yield name, match[1], datetime.strptime(match[2], "%Y.%m.%d").date() if match[2] else None


def _delete(settings: LocalSettings, names: list[str]) -> None:
    for name in names:
        search_client(settings).indices.delete(index=name, ignore=[404])


def _credentials_file(settings: LocalSettings) -> Path:
    return opensearch_folder(settings) / "credentials.json"


def _read_credentials(settings: LocalSettings) -> dict[str, str]:
    file = _credentials_file(settings)
    return msgspec.json.decode(file.read_bytes(), type=dict[str, str]) if file.exists() else {}
