package dev.codewave.roomevents;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.util.Collector;

/**
 * Takes apart what the Python operator makes of one record: a MessagePack array of pairs, an output's name and its
 * batch of rows for {@link RowExploder}.
 *
 * <p>One value a record crosses from Python to the JVM: each crossing costs as much as several events.
 */
public final class BatchSplitter implements FlatMapFunction<byte[], Tuple2<String, byte[]>> {
  private static final long serialVersionUID = 1L;

  @Override
  public void flatMap(byte[] batches, Collector<Tuple2<String, byte[]>> out) {
    MessagePackReader reader = new MessagePackReader(batches);
    int count = reader.arrayLength();
    for (int i = 0; i < count; i++) {
      if (reader.arrayLength() != 2) {
        throw new IllegalStateException("not a pair of an output and its batch");
      }
      int length = reader.byteLength();
      String output = new String(batches, reader.skip(length), length, StandardCharsets.UTF_8);
      length = reader.byteLength();
      int start = reader.skip(length);
      out.collect(Tuple2.of(output, Arrays.copyOfRange(batches, start, start + length)));
    }
  }
}
