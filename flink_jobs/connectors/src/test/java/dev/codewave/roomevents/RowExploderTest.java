package dev.codewave.roomevents;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.functions.util.ListCollector;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.table.data.RowData;
import org.junit.jupiter.api.Test;

class RowExploderTest {
  private static final String TYPE =
      "ROW<`name` STRING, `number` BIGINT, `yes` BOOLEAN, `at` TIMESTAMP_LTZ(6),"
          + " `patches` ARRAY<ROW<`position` BIGINT, `inserted` STRING>>>";

  private static List<RowData> explode(String output, int... batch) {
    byte[] bytes = new byte[batch.length];
    for (int i = 0; i < batch.length; i++) {
      bytes[i] = (byte) batch[i];
    }
    List<RowData> rows = new ArrayList<>();
    new RowExploder("edits", TYPE).flatMap(Tuple2.of(output, bytes), new ListCollector<>(rows));
    return rows;
  }

  @Test
  void makesTypedRowsOfABatch() {
    // [["hé", 2^32, true, 1000, [[-1, "x"]]], [nil, nil, nil, nil, nil]]
    List<RowData> rows =
        explode(
            "edits",
            0x92,
            0x95, 0xa3, 'h', 0xc3, 0xa9, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0, 0xc3, 0xcd, 0x03, 0xe8,
            0x91, 0x92, 0xff, 0xa1, 'x',
            0x95, 0xc0, 0xc0, 0xc0, 0xc0, 0xc0);
    assertEquals(2, rows.size());
    RowData first = rows.get(0);
    assertEquals("hé", first.getString(0).toString());
    assertEquals(1L << 32, first.getLong(1));
    assertTrue(first.getBoolean(2));
    assertEquals(1000, first.getTimestamp(3, 6).getMillisecond());
    assertEquals(-1, first.getArray(4).getRow(0, 2).getLong(0));
    assertEquals("x", first.getArray(4).getRow(0, 2).getString(1).toString());
    for (int i = 0; i < 5; i++) {
      assertTrue(rows.get(1).isNullAt(i));
    }
  }

  @Test
  void passesByTheBatchesOfOtherOutputs() {
    assertEquals(List.of(), explode("chat", 0x91, 0xc0));
  }

  @Test
  void refusesARowOfAnotherWidth() {
    assertThrows(IllegalStateException.class, () -> explode("edits", 0x91, 0x91, 0xc0));
  }

  @Test
  void refusesAValueOfAnotherType() {
    assertThrows(
        IllegalStateException.class,
        () -> explode("edits", 0x91, 0x95, 0x01, 0xc0, 0xc0, 0xc0, 0xc0));
  }
}
