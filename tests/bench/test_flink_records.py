"""The recorded stream that Flink reads in Kinesis' place: every record once, one file a partition, in order."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from bench.flink_records import NAMESPACE, forget_stream, recorded_stream
from bench.input import ARRIVAL_MS, Input, InputSpec, prepared, read_records
from codewave.contract.frame import unframe


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Input:
    spec = InputSpec(events=20_000, rooms=40, partitions=2)
    return prepared(spec, tmp_path_factory.mktemp("inputs"))


@pytest.fixture
def catalog(tmp_path: Path) -> SqlCatalog:
    return SqlCatalog("test", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=(tmp_path / "warehouse").as_uri())


def test_a_table_holds_every_record_in_its_order(catalog: SqlCatalog, data: Input):
    table = catalog.load_table(f"{NAMESPACE}.{recorded_stream(catalog, data)}")

    for task, path in zip(
        sorted(table.scan().plan_files(), key=lambda task: task.file.file_path), data.records, strict=True
    ):
        rows = pq.read_table(task.file.file_path.removeprefix("file://"))
        assert rows["data"].to_pylist() == list(read_records(path))
        numbers = rows["sequence_number"].to_pylist()
        assert numbers == sorted(numbers)
        assert len(set(rows["shard_id"].to_pylist())) == 1


def test_a_record_arrives_when_its_header_says(catalog: SqlCatalog, data: Input):
    table = catalog.load_table(f"{NAMESPACE}.{recorded_stream(catalog, data)}")

    first = table.scan(limit=1).to_arrow().to_pylist()[0]
    header, _ = unframe(first["data"])
    assert header is not None
    assert first["arrived_at"].timestamp() * 1_000 == header.sent_at + ARRIVAL_MS


def test_a_file_has_several_row_groups_and_is_never_cut_up(catalog: SqlCatalog, data: Input):
    table = catalog.load_table(f"{NAMESPACE}.{recorded_stream(catalog, data)}")

    for task in table.scan().plan_files():
        path = task.file.file_path.removeprefix("file://")
        assert pq.read_metadata(path).num_row_groups > 1
        assert task.file.split_offsets is None
        weight = int(table.properties["read.split.open-file-cost"])
        assert task.file.file_size_in_bytes < weight == int(table.properties["read.split.target-size"])


def test_a_stream_is_recorded_once(catalog: SqlCatalog, data: Input):
    name = recorded_stream(catalog, data)

    before = catalog.load_table(f"{NAMESPACE}.{name}").current_snapshot()
    assert recorded_stream(catalog, data) == name
    assert catalog.load_table(f"{NAMESPACE}.{name}").current_snapshot() == before


def test_a_stream_that_is_forgotten_leaves_no_file_and_can_be_recorded_again(
    catalog: SqlCatalog, data: Input, tmp_path: Path
):
    name = recorded_stream(catalog, data)
    forget_stream(catalog, data)
    forget_stream(catalog, data)
    assert not catalog.table_exists(f"{NAMESPACE}.{name}")
    assert not list((tmp_path / "warehouse").rglob("*.parquet"))
    assert recorded_stream(catalog, data) == name
