"""Rows and their SQL types."""

import pytest

from udfs.rows import OUTPUTS, DocumentOperationRow, PatchRow, SequenceGapRow
from udfs.rowtype import columns, row_type, sql_type


def test_columns_follow_the_row_in_order():
    assert list(columns(SequenceGapRow)) == list(SequenceGapRow.__struct_fields__)


def test_nested_rows_become_arrays_of_rows():
    assert row_type(PatchRow) == "ROW<`position` BIGINT, `deleted` BIGINT, `inserted` STRING>"
    assert columns(DocumentOperationRow)["patches"] == f"ARRAY<{row_type(PatchRow)}>"


def test_times_are_timestamps_with_local_time_zone():
    assert columns(DocumentOperationRow)["received_at"] == "TIMESTAMP_LTZ(6)"


def test_every_output_has_a_type():
    assert all(row_type(row).startswith("ROW<") for row in OUTPUTS.values())


def test_an_annotation_without_a_sql_type_is_refused():
    with pytest.raises(TypeError, match="no SQL type"):
        sql_type(float)
