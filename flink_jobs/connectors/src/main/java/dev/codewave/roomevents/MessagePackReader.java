package dev.codewave.roomevents;

/** Reads the MessagePack types that rows are made of, from one byte array, front to back. */
final class MessagePackReader {
  private static final int NIL = 0xc0;
  private static final int FALSE = 0xc2;
  private static final int TRUE = 0xc3;

  private final byte[] bytes;
  private int at;

  MessagePackReader(byte[] bytes) {
    this.bytes = bytes;
  }

  byte[] bytes() {
    return bytes;
  }

  /** Consumes a nil if one comes next. */
  boolean nextIsNil() {
    if ((bytes[at] & 0xff) != NIL) {
      return false;
    }
    at++;
    return true;
  }

  int arrayLength() {
    int tag = tag();
    if ((tag & 0xf0) == 0x90) {
      return tag & 0x0f;
    }
    if (tag == 0xdc || tag == 0xdd) { // 16 and 32 bits
      return (int) unsigned(2 << (tag & 1));
    }
    throw unexpected(tag, "an array");
  }

  /** Length of the string or binary that starts here; its bytes follow at {@link #skip}. */
  int byteLength() {
    int tag = tag();
    if ((tag & 0xe0) == 0xa0) {
      return tag & 0x1f;
    }
    int first = tag < 0xd9 ? 0xc4 : 0xd9; // binary or string, each of 8, 16 and 32 bits
    if (tag < first || tag > first + 2) {
      throw unexpected(tag, "a string");
    }
    return (int) unsigned(1 << (tag - first));
  }

  /** Moves on by {@code length} bytes and returns where they start. */
  int skip(int length) {
    int start = at;
    at += length;
    return start;
  }

  boolean bool() {
    int tag = tag();
    if (tag != FALSE && tag != TRUE) {
      throw unexpected(tag, "a boolean");
    }
    return tag == TRUE;
  }

  long integer() {
    int tag = tag();
    if (tag < 0x80 || tag >= 0xe0) {
      return (byte) tag;
    }
    if (tag < 0xcc || tag > 0xd3) {
      throw unexpected(tag, "an integer");
    }
    int size = 1 << (tag & 3); // 8 to 64 bits, first without a sign and then with one
    long value = unsigned(size);
    int unused = 64 - 8 * size;
    return tag < 0xd0 ? value : value << unused >> unused;
  }

  private int tag() {
    return bytes[at++] & 0xff;
  }

  private long unsigned(int size) {
    long value = 0;
    for (int end = at + size; at < end; at++) {
      value = value << 8 | (bytes[at] & 0xff);
    }
    return value;
  }

  private IllegalStateException unexpected(int tag, String wanted) {
    return new IllegalStateException(
        String.format("MessagePack tag 0x%02x at byte %d, expected %s", tag, at - 1, wanted));
  }
}
