package dev.codewave.roomevents;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class RoomKeyTest {
  private static String keyOf(String record) {
    return new RoomKey().eval(record.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void readsTheRoomOfAHeader() {
    assertEquals("room-1", keyOf("{\"v\":1,\"room_id\":\"room-1\",\"count\":0}\n"));
  }

  @Test
  void readsTheRoomOfABareEventWithBlanks() {
    assertEquals("r", keyOf("{\"event_id\": \"x\", \"room_id\" : \"r\"}"));
  }

  @Test
  void isEmptyWhereNoRoomCanBeRead() {
    assertEquals("", keyOf("not a record"));
    assertEquals("", keyOf("{\"room_id\":7}"));
    assertEquals("", keyOf("{\"room_id\":\"unfinished"));
    assertEquals("", keyOf("{\"room_id\":\"" + "x".repeat(65) + "\"}"));
    assertEquals("", new RoomKey().eval(null));
  }

  @Test
  void searchesNoFurtherThanAHeaderMayReach() {
    assertEquals("", keyOf(" ".repeat(5000) + "{\"room_id\":\"r\"}"));
  }
}
