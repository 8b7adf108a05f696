package dev.codewave.roomevents;

import java.nio.charset.StandardCharsets;
import org.apache.flink.table.functions.ScalarFunction;

/**
 * The room of a record, read from its first bytes without parsing them: the value of the first {@code "room_id"}.
 *
 * <p>Returns the empty string where none can be found; the stream then refuses the record, and where the key found
 * here is not the room of the record's header as well.
 */
public final class RoomKey extends ScalarFunction {
  private static final long serialVersionUID = 1L;
  private static final String NAME = "\"room_id\"";

  /** A header has to fit in here: {@code Limits.header_bytes} of the contract. */
  private static final int SEARCHED_BYTES = 4096;

  private static final int LONGEST_ID = 64;

  /** Finds the room id in a record. */
  public String eval(byte[] record) {
    int limit = record == null ? 0 : Math.min(record.length, SEARCHED_BYTES);
    // A character a byte, whatever they are: places in the text are places in the record.
    String head = limit == 0 ? "" : new String(record, 0, limit, StandardCharsets.ISO_8859_1);
    int name = head.indexOf(NAME);
    if (name < 0) {
      return "";
    }
    int start = after(head, after(head, name + NAME.length(), ':'), '"');
    int end = head.indexOf('"', start);
    boolean found = end >= 0 && end - start <= LONGEST_ID;
    return found ? new String(record, start, end - start, StandardCharsets.UTF_8) : "";
  }

  /** Where it goes on after blanks and {@code wanted}; the end of {@code head} if something else comes. */
  private static int after(String head, int from, char wanted) {
    int i = from;
    while (i < head.length() && (head.charAt(i) == ' ' || head.charAt(i) == '\t')) {
      i++;
    }
    return i < head.length() && head.charAt(i) == wanted ? i + 1 : head.length();
  }
}
