package dev.codewave.roomevents;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class CheckpointFlushTest {
  private OneInputStreamOperatorTestHarness<Row, Row> harness;

  @BeforeEach
  void open() throws Exception {
    harness = new OneInputStreamOperatorTestHarness<>(new CheckpointFlush());
    harness.open();
  }

  @AfterEach
  void close() throws Exception {
    harness.close();
  }

  private void send(String... rooms) throws Exception {
    for (String room : rooms) {
      harness.processElement(Row.of(room, Row.of(new byte[] {1}, "shard-1", "7", 1_000L)), 0);
    }
  }

  /** What came out since the last call: the room of a record, or of a marker in brackets. */
  private List<String> sent() {
    List<String> found = new ArrayList<>();
    for (Row row : harness.extractOutputValues()) {
      Row record = (Row) row.getField(1);
      found.add((long) record.getField(3) < 0 ? "[" + row.getField(0) + "]" : (String) row.getField(0));
    }
    harness.getOutput().clear();
    return found;
  }

  @Test
  void everyRoomThatCameIsMarkedOnceBeforeACheckpoint() throws Exception {
    send("a", "b", "a");
    assertEquals(List.of("a", "b", "a"), sent());
    harness.prepareSnapshotPreBarrier(1);
    assertEquals(List.of("[a]", "[b]"), sent());
  }

  @Test
  void aRoomInWhichNothingCameSinceIsNotMarkedAgain() throws Exception {
    send("a", "b");
    harness.prepareSnapshotPreBarrier(1);
    send("b");
    sent();
    harness.prepareSnapshotPreBarrier(2);
    harness.prepareSnapshotPreBarrier(3);
    assertEquals(List.of("[b]"), sent());
  }

  @Test
  void theEndOfTheStreamCountsAsACheckpoint() throws Exception {
    send("a");
    sent();
    harness.endInput();
    assertEquals(List.of(), sent());
    harness.getOperator().finish();
    harness.prepareSnapshotPreBarrier(1);
    assertEquals(List.of("[a]"), sent());
  }

  @Test
  void aRowThatIsUsedAgainForTheNextRecordIsMarkedForBoth() throws Exception {
    Row reused = Row.of("a", Row.of(new byte[] {1}, "shard-1", "7", 1_000L));
    harness.processElement(reused, 0);
    reused.setField(0, "b");
    harness.processElement(reused, 0);
    harness.getOutput().clear();
    harness.prepareSnapshotPreBarrier(1);
    assertEquals(List.of("[a]", "[b]"), sent());
  }

  @Test
  void aMarkerHasNoFieldWithoutAValue() throws Exception {
    send("a");
    sent();
    harness.prepareSnapshotPreBarrier(1);
    Row record = (Row) harness.extractOutputValues().get(0).getField(1);
    assertEquals(Row.of(new byte[0], "", "", -1L), record);
  }

  @Test
  void outsideOfAChainItDoesNotStart() throws Exception {
    try (OneInputStreamOperatorTestHarness<Row, Row> alone =
        new OneInputStreamOperatorTestHarness<>(new CheckpointFlush())) {
      alone.getStreamConfig().setChainEnd();
      Throwable error = assertThrows(IllegalStateException.class, alone::open);
      assertTrue(error.getMessage().contains("pipeline.operator-chaining.enabled"));
    }
  }
}
