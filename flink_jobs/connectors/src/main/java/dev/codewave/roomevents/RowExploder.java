package dev.codewave.roomevents;

import java.util.List;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.binary.BinaryStringData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeParser;
import org.apache.flink.util.Collector;

/**
 * Turns one output's batch of rows, encoded by the Python operator, into typed rows.
 *
 * <p>The operator emits one pair a record and output: the output's name and its rows as a MessagePack array of
 * positional arrays. One value a batch crosses from Python to the JVM instead of one a row, which is several times
 * cheaper. Strings are not copied: they point into the batch.
 */
public final class RowExploder
    implements FlatMapFunction<Tuple2<String, byte[]>, RowData>, ResultTypeQueryable<RowData> {
  private static final long serialVersionUID = 1L;

  private final String output;
  private final RowType rowType;

  /**
   * @param output the output whose batches are taken; others pass by
   * @param rowType its columns as a SQL type, {@code ROW<`event_id` STRING, …>}
   */
  public RowExploder(String output, String rowType) {
    this.output = output;
    this.rowType =
        (RowType) LogicalTypeParser.parse(rowType, RowExploder.class.getClassLoader());
  }

  @Override
  public void flatMap(Tuple2<String, byte[]> batch, Collector<RowData> out) {
    if (!output.equals(batch.f0)) {
      return;
    }
    MessagePackReader reader = new MessagePackReader(batch.f1);
    int rows = reader.arrayLength();
    for (int i = 0; i < rows; i++) {
      out.collect(row(reader, rowType));
    }
  }

  private static GenericRowData row(MessagePackReader reader, RowType type) {
    List<RowType.RowField> fields = type.getFields();
    int length = reader.arrayLength();
    if (length != fields.size()) {
      throw new IllegalStateException(
          "a row of " + length + " values for " + fields.size() + " columns: " + type);
    }
    GenericRowData row = new GenericRowData(length);
    for (int i = 0; i < length; i++) {
      row.setField(i, value(reader, fields.get(i).getType()));
    }
    return row;
  }

  private static Object value(MessagePackReader reader, LogicalType type) {
    if (reader.nextIsNil()) {
      return null;
    }
    switch (type.getTypeRoot()) {
      case VARCHAR:
        int length = reader.byteLength();
        return BinaryStringData.fromBytes(reader.bytes(), reader.skip(length), length);
      case BIGINT:
        return reader.integer();
      case BOOLEAN:
        return reader.bool();
      case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
        return TimestampData.fromEpochMillis(reader.integer());
      case ROW:
        return row(reader, (RowType) type);
      case ARRAY:
        return array(reader, ((ArrayType) type).getElementType());
      default:
        throw new IllegalStateException("no rows with columns of type " + type);
    }
  }

  private static GenericArrayData array(MessagePackReader reader, LogicalType elementType) {
    Object[] elements = new Object[reader.arrayLength()];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = value(reader, elementType);
    }
    return new GenericArrayData(elements);
  }

  @Override
  public TypeInformation<RowData> getProducedType() {
    return InternalTypeInfo.of(rowType);
  }
}
