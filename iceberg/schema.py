"""What a table definition is in Iceberg: its schema, partition spec and sort order."""

from collections.abc import Iterator
from itertools import count
from typing import Final

from pyiceberg.partitioning import PARTITION_FIELD_ID_START, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import NullOrder, SortDirection, SortField, SortOrder
from pyiceberg.transforms import (
    BucketTransform,
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    Transform,
)
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DoubleType,
    IcebergType,
    ListType,
    LongType,
    NestedField,
    PrimitiveType,
    StringType,
    StructType,
    TimestamptzType,
)

from iceberg.definition import Column, Partition, TableDefinition

PRIMITIVES: Final[dict[str, PrimitiveType]] = {
    "string": StringType(),
    "long": LongType(),
    "double": DoubleType(),
    "boolean": BooleanType(),
    "timestamptz": TimestamptzType(),
    "date": DateType(),
    "binary": BinaryType(),
}
"""``type`` of ``table.yml`` → Iceberg type; timestamps are UTC with µs."""

_TIME_TRANSFORMS: Final[dict[str, Transform]] = {  # type: ignore[type-arg]
    "day": DayTransform(),
    "hour": HourTransform(),
    "month": MonthTransform(),
}


def iceberg_schema(definition: TableDefinition) -> Schema:
    """Schema of a table that does not exist yet."""
    ids = count(1)
    return Schema(*[_field(column, ids) for column in definition.columns])


def iceberg_type(column: Column) -> IcebergType:
    """Type of one column on its own; nested field ids start at 1."""
    return _type(column, count(1))


def partition_spec(definition: TableDefinition, schema: Schema) -> PartitionSpec:
    """Partition spec over ``schema``'s field ids."""
    fields = [
        PartitionField(
            source_id=schema.find_field(part.column).field_id,
            field_id=PARTITION_FIELD_ID_START + index,
            transform=_transform(part),
            name=part.name,
        )
        for index, part in enumerate(definition.partitions())
    ]
    return PartitionSpec(*fields)


def sort_order(definition: TableDefinition, schema: Schema) -> SortOrder:
    """Sort order over ``schema``'s field ids: ascending, nulls first."""
    fields = [
        SortField(
            source_id=schema.find_field(name).field_id,
            transform=IdentityTransform(),
            direction=SortDirection.ASC,
            null_order=NullOrder.NULLS_FIRST,
        )
        for name in definition.sort
    ]
    return SortOrder(*fields)


def _transform(part: Partition) -> Transform:  # type: ignore[type-arg]
    if part.buckets is not None:
        return BucketTransform(part.buckets)
    return _TIME_TRANSFORMS[part.transform]


def _field(column: Column, ids: Iterator[int]) -> NestedField:
    field_id = next(ids)
    return NestedField(field_id, column.name, _type(column, ids), required=False, doc=column.description)


def _type(column: Column, ids: Iterator[int]) -> IcebergType:
    if column.type != "list":
        return PRIMITIVES[column.type]
    element_id = next(ids)
    element = StructType(*[_field(field, ids) for field in column.fields])
    return ListType(element_id=element_id, element=element, element_required=False)
