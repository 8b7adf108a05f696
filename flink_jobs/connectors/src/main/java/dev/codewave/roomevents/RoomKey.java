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
  private static final byte[] NAME = "\"room_id\"".getBytes(StandardCharsets.US_ASCII);

  /** A header has to fit in here: {@code Limits.header_bytes} of the contract. */
  private static final int SEARCHED_BYTES = 4096;

  private static final int LONGEST_ID = 64;

  /** Finds the room id in a record. */
  public String eval(byte[] record) {
    if (record == null) {
      return "";
    }
    int limit = Math.min(record.length, SEARCHED_BYTES);
    for (int i = 0; i + NAME.length <= limit; i++) {
      if (matches(record, i)) {
        return valueAfter(record, i + NAME.length, limit);
      }
    }
    return "";
  }

  private static boolean matches(byte[] record, int at) {
    for (int j = 0; j < NAME.length; j++) {
      if (record[at + j] != NAME[j]) {
        return false;
      }
    }
    return true;
  }

  private static String valueAfter(byte[] record, int from, int limit) {
    int i = skipBlanks(record, from, limit);
    if (i >= limit || record[i] != ':') {
      return "";
    }
    i = skipBlanks(record, i + 1, limit);
    if (i >= limit || record[i] != '"') {
      return "";
    }
    int start = ++i;
    while (i < limit && record[i] != '"') {
      i++;
    }
    boolean found = i < limit && i - start <= LONGEST_ID;
    return found ? new String(record, start, i - start, StandardCharsets.UTF_8) : "";
  }

  private static int skipBlanks(byte[] record, int from, int limit) {
    int i = from;
    while (i < limit && (record[i] == ' ' || record[i] == '\t')) {
      i++;
    }
    return i;
  }
}
