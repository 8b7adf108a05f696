"""The local stack as real processes, in a data folder and on ports of its own: up, used, crashed, down."""

import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException

from codewave.errors import CodewaveError
from codewave.local import kinesis, opensearch, processes, stack
from codewave.local.catalog import load_catalog
from codewave.local.settings import LOOPBACK, LocalSettings, load_settings

pytestmark = pytest.mark.system

PORTS = ("kinesis", "catalog", "opensearch", "opensearch_transport", "flink", "flink_rpc", "flink_blob")
PARTS = {"kinesis", "catalog", "opensearch", "flink"}
DAY = "2026.11.22"
MESSAGE = {
    "event_id": "e",
    "room_id": "r",
    "text": "getUserName(user_name) met E0308 in HTTPServer; grüße",
    "received_at": "2026-11-22T21:00:00.123Z",
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSettings]:
    mine = free_settings(tmp_path_factory.mktemp("stack"))
    try:
        stack.up(mine, silent)
        yield mine
    finally:
        stack.down(mine, silent)


@pytest.fixture(scope="module")
def writer(settings: LocalSettings) -> OpenSearch:
    return opensearch.search_client(settings, opensearch.STREAM_WRITER)


@pytest.fixture(scope="module")
def debugger(settings: LocalSettings) -> OpenSearch:
    return opensearch.search_client(settings, opensearch.DEBUGGER)


def silent(_part: str, _message: str) -> None:
    """Report nothing."""


def free_settings(folder: Path) -> LocalSettings:
    base = load_settings()
    for offset in range(20_000, 40_000, 500):
        mine = msgspec.structs.replace(base, port_offset=offset, data_folder=str(folder), task_managers=1)
        try:
            processes.check_ports(mine, PORTS)
        except CodewaveError:
            continue
        return mine
    pytest.fail("no free ports")


def stack_processes(settings: LocalSettings) -> list[psutil.Process]:
    """Every live process that was started for this data folder."""
    mine = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(processes.MARK, "")
            if mark.startswith(settings.data_folder) and process.status() != psutil.STATUS_ZOMBIE:
                mine.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return mine


def fields_of(settings: LocalSettings, index: str) -> dict[str, object]:
    mapping = opensearch.search_client(settings).indices.get_mapping(index=index)
    return dict(mapping[index]["mappings"]["properties"])


def bulk(client: OpenSearch, index: str, document: dict[str, Any]) -> dict[str, Any]:
    answer = client.bulk(body=[{"index": {"_index": index, "_id": document.get("event_id", "1")}}, document])
    return dict(answer["items"][0]["index"])


def found(client: OpenSearch, words: str) -> bool:
    query = {"match": {"text": {"query": words, "operator": "and"}}}
    return bool(client.search(index="chat-*", body={"query": query})["hits"]["hits"])


def test_every_part_answers(settings: LocalSettings) -> None:
    status = stack.status(settings)
    assert {part.name: part.state for part in status.parts} == dict.fromkeys(PARTS, "up")


def test_every_process_listens_on_loopback_only(settings: LocalSettings) -> None:
    addresses = {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in stack_processes(settings)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {LOOPBACK}


def test_opensearch_does_not_run_as_root(settings: LocalSettings) -> None:
    (part,) = [part for part in stack.status(settings).parts if part.name == "opensearch"]
    assert part.pid is not None
    status = Path(f"/proc/{part.pid}/status").read_text()
    capabilities = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
    assert int(capabilities, 16) == 0


def test_secrets_are_readable_by_their_owner_only(settings: LocalSettings) -> None:
    folder = opensearch.opensearch_folder(settings)
    secret = [folder / "credentials.json", folder / "config" / "opensearch.yml", folder / "config" / "keystore.p12"]
    assert [oct(file.stat().st_mode & 0o777) for file in secret] == ["0o600"] * len(secret)


def test_no_password_is_in_a_log_or_on_a_command_line(settings: LocalSettings) -> None:
    logs = b"".join(file.read_bytes() for file in (settings.data / "logs").iterdir() if file.is_file())
    commands = " ".join(word for process in stack_processes(settings) for word in process.cmdline()).encode()
    for user in opensearch.USERS:
        password = opensearch.search_credentials(settings, user)[1].encode()
        assert password not in logs
        assert password not in commands


def test_the_stream_of_the_live_namespace_exists(settings: LocalSettings) -> None:
    stream = kinesis.describe_stream(settings, "rooms")
    assert stream is not None
    assert (stream["StreamStatus"], stream["OpenShardCount"]) == ("ACTIVE", settings.shards)


def test_streams_may_have_more_shards_together_than_the_emulators_own_limit_of_fifty(settings: LocalSettings) -> None:
    created = [kinesis.create_stream(settings, name, shards=30) for name in ("wide_one", "wide_two")]
    assert created == [True, True]
    assert [kinesis.delete_stream(settings, name) for name in ("wide_one", "wide_two")] == [True, True]


def test_a_stream_is_created_once_and_deleted_once(settings: LocalSettings) -> None:
    created = [kinesis.create_stream(settings, "other", shards=3) for _ in range(2)]
    stream = kinesis.describe_stream(settings, "other")
    deleted = [kinesis.delete_stream(settings, "other") for _ in range(2)]
    assert (created, deleted) == ([True, False], [True, False])
    assert stream is not None
    assert stream["OpenShardCount"] == 3
    assert kinesis.describe_stream(settings, "other") is None


def test_the_tables_of_the_live_namespace_exist(settings: LocalSettings) -> None:
    names = {name for _, name in load_catalog(settings).list_tables("rooms")}
    assert {"raw_records", "document_operations"} <= names


@pytest.mark.parametrize("time", ["2026-11-22T21:00:00.123Z", "2026-11-22T21:00:00.123456Z", "2026-11-22T21:00:00Z"])
def test_the_job_may_write_documents_with_times_as_flink_writes_them(writer: OpenSearch, time: str) -> None:
    assert bulk(writer, f"chat-{DAY}", MESSAGE | {"received_at": time})["status"] in {200, 201}


def test_a_document_with_an_unknown_field_is_taken_and_the_field_not_indexed(
    settings: LocalSettings, writer: OpenSearch
) -> None:
    assert bulk(writer, f"chat-{DAY}", MESSAGE | {"surprise": 1})["status"] in {200, 201}
    assert "surprise" not in fields_of(settings, f"chat-{DAY}")


@pytest.mark.parametrize(
    "field",
    [
        {"sequence": "many"},
        {"sequence": {"of": 1}},
        {"received_at": "yesterday"},
        {"late": "perhaps"},
        {"reply_to": "x" * 40_000},
        {"text": {"in": "pieces"}},
    ],
)
def test_a_value_that_does_not_fit_its_field_refuses_no_document(writer: OpenSearch, field: dict[str, object]) -> None:
    assert bulk(writer, f"chat-{DAY}", MESSAGE | field)["status"] in {200, 201}


def test_the_job_may_not_write_other_indices(writer: OpenSearch) -> None:
    assert bulk(writer, "other", {"a": 1})["status"] == 403


def test_the_job_may_not_read(writer: OpenSearch) -> None:
    with pytest.raises(AuthorizationException):
        writer.search(index="chat-*")


def test_the_job_may_not_delete_an_index(writer: OpenSearch) -> None:
    with pytest.raises(AuthorizationException):
        writer.indices.delete(index=f"chat-{DAY}")


def test_a_debugger_may_not_write(debugger: OpenSearch) -> None:
    with pytest.raises(AuthorizationException):
        bulk(debugger, f"chat-{DAY}", MESSAGE)


@pytest.mark.parametrize(
    "words", ["getUserName", "getusername", "user name", "user_name", "E0308", "HTTPServer", "server", "grüße"]
)
def test_identifiers_are_found_whole_and_by_their_words(
    settings: LocalSettings, writer: OpenSearch, debugger: OpenSearch, words: str
) -> None:
    bulk(writer, f"chat-{DAY}", MESSAGE)
    opensearch.search_client(settings).indices.refresh(index="chat-*")
    assert found(debugger, words)
    assert not found(debugger, f"{words} absent")


def test_a_namespace_keeps_to_its_own_indices(settings: LocalSettings, writer: OpenSearch) -> None:
    opensearch.apply_templates(settings, "shadow")
    bulk(writer, f"shadow-chat-{DAY}", MESSAGE)
    bulk(writer, f"chat-{DAY}", MESSAGE)
    assert fields_of(settings, f"shadow-chat-{DAY}") == fields_of(settings, f"chat-{DAY}")
    assert opensearch.delete_indices(settings, "shadow") == [f"shadow-chat-{DAY}"]
    assert f"chat-{DAY}" in opensearch.namespace_indices(settings, "rooms")


def test_daily_indices_are_deleted_once_their_policy_keeps_them_no_longer(
    settings: LocalSettings, writer: OpenSearch
) -> None:
    opensearch.apply_templates(settings, "aged")
    bulk(writer, f"aged-chat-{DAY}", MESSAGE)
    last_day, day_after = date(2026, 12, 6), date(2026, 12, 7)
    assert opensearch.expire_indices(settings, "aged", last_day) == []
    assert opensearch.expire_indices(settings, "aged", day_after) == [f"aged-chat-{DAY}"]


def test_up_leaves_a_running_stack_as_it_is(settings: LocalSettings) -> None:
    before = {process.pid for process in stack_processes(settings)}
    stack.up(settings, silent)
    assert {process.pid for process in stack_processes(settings)} == before


def test_up_repairs_a_stack_that_crashed_in_part(settings: LocalSettings, writer: OpenSearch) -> None:
    bulk(writer, f"gaps-{DAY}", {"gap_id": "1"})
    crashed = [psutil.Process(part.pid) for part in stack.status(settings).parts]
    for process in crashed:
        process.kill()
    _, alive = psutil.wait_procs(crashed, timeout=30)
    assert alive == []
    both: list[stack.StackStatus] = []
    threads = [threading.Thread(target=lambda: both.append(stack.up(settings, silent))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status.up for status in both] == [True, True]
    names = sorted(Path(process.environ()[processes.MARK]).stem for process in stack_processes(settings))
    assert names == ["catalog", "flink-jobmanager", "flink-supervisor", "flink-taskmanager-0", "kinesis", "opensearch"]
    assert f"gaps-{DAY}" in opensearch.namespace_indices(settings, "rooms")


def test_a_second_clone_on_the_same_ports_is_told_which_setting_to_change(
    settings: LocalSettings, tmp_path: Path
) -> None:
    clone = msgspec.structs.replace(settings, data_folder=str(tmp_path))
    with pytest.raises(CodewaveError, match=r"port \d+ \(kinesis\) is in use; set CODEWAVE_KINESIS_PORT or"):
        stack.up(clone, silent)
    assert stack_processes(clone) == []


def test_down_leaves_no_process_behind(settings: LocalSettings) -> None:
    assert set(stack.down(settings, silent)) == PARTS
    assert stack_processes(settings) == []
    assert {part.state for part in stack.status(settings).parts} == {"down"}
    assert stack.down(settings, silent) == []
