package dev.codewave.roomevents;

import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.types.Row;

/**
 * Has the Python operator behind it write its state right before a checkpoint, as Python is told of none.
 *
 * <p>Takes (room, record) and passes it on. Before a checkpoint's barrier it sends a marker for every room that came
 * since the checkpoint before: the room with a record that arrived before 1970, as no real one does. The operator
 * behind it has to be in the same chain: then it is done with the markers when the barrier goes on. From one task to
 * another an unaligned barrier overtakes them.
 */
public final class CheckpointFlush extends AbstractStreamOperator<Row> implements OneInputStreamOperator<Row, Row> {
  private static final long serialVersionUID = 1L;

  /** Only names are kept: with object reuse, the rows are overwritten by those that follow. */
  private final Set<String> rooms = new LinkedHashSet<>();

  @Override
  public void open() throws Exception {
    super.open();
    if (getOperatorConfig().isChainEnd()) {
      throw new IllegalStateException(
          "room_events: checkpoint-flush is not in one chain with room-events, so a checkpoint may miss state; leave"
              + " pipeline.operator-chaining.enabled at true");
    }
  }

  @Override
  public void processElement(StreamRecord<Row> record) {
    rooms.add((String) record.getValue().getField(0));
    output.collect(record);
  }

  @Override
  public void prepareSnapshotPreBarrier(long checkpointId) {
    flush();
  }

  /** At the end of a bounded stream, or of a drained one. */
  @Override
  public void finish() {
    flush();
  }

  private void flush() {
    for (String room : rooms) {
      output.collect(new StreamRecord<>(Row.of(room, Row.of(new byte[0], "", "", -1L))));
    }
    rooms.clear();
  }
}
