package dev.codewave.roomevents;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.functions.util.ListCollector;
import org.apache.flink.api.java.tuple.Tuple2;
import org.junit.jupiter.api.Test;

class BatchSplitterTest {
  private static List<Tuple2<String, byte[]>> split(int... bytes) {
    byte[] batches = new byte[bytes.length];
    for (int i = 0; i < bytes.length; i++) {
      batches[i] = (byte) bytes[i];
    }
    List<Tuple2<String, byte[]>> found = new ArrayList<>();
    new BatchSplitter().flatMap(batches, new ListCollector<>(found));
    return found;
  }

  @Test
  void namesEachOutputAndItsBatch() {
    // [["chat", <2 bytes>], ["edits", <no bytes>]]
    List<Tuple2<String, byte[]>> found =
        split(0x92, 0x92, 0xa4, 'c', 'h', 'a', 't', 0xc4, 2, 0x91, 0xc0, 0x92, 0xa5, 'e', 'd', 'i', 't', 's', 0xc4, 0);
    assertEquals(2, found.size());
    assertEquals("chat", found.get(0).f0);
    assertArrayEquals(new byte[] {(byte) 0x91, (byte) 0xc0}, found.get(0).f1);
    assertEquals("edits", found.get(1).f0);
    assertEquals(0, found.get(1).f1.length);
  }

  @Test
  void makesNothingOfNothing() {
    assertEquals(List.of(), split(0x90));
  }

  @Test
  void refusesWhatIsNoPair() {
    assertThrows(IllegalStateException.class, () -> split(0x91, 0x93, 0xa1, 'a', 0xc4, 0, 0xc0));
  }
}
