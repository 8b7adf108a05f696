package dev.codewave.roomevents;

/** Reads the MessagePack types that rows are made of, from one byte array, front to back. */
final class MessagePackReader {
  private static final int NIL = 0xc0;

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
    int tag = unsigned8();
    if ((tag & 0xf0) == 0x90) {
      return tag & 0x0f;
    }
    switch (tag) {
      case 0xdc:
        return unsigned16();
      case 0xdd:
        return signed32();
      default:
        throw unexpected(tag, "an array");
    }
  }

  /** Length of the string or binary that starts here; its bytes follow at {@link #skip}. */
  int byteLength() {
    int tag = unsigned8();
    if ((tag & 0xe0) == 0xa0) {
      return tag & 0x1f;
    }
    switch (tag) {
      case 0xd9:
      case 0xc4:
        return unsigned8();
      case 0xda:
      case 0xc5:
        return unsigned16();
      case 0xdb:
      case 0xc6:
        return signed32();
      default:
        throw unexpected(tag, "a string");
    }
  }

  /** Moves on by {@code length} bytes and returns where they start. */
  int skip(int length) {
    int start = at;
    at += length;
    return start;
  }

  boolean bool() {
    int tag = unsigned8();
    if (tag != 0xc2 && tag != 0xc3) {
      throw unexpected(tag, "a boolean");
    }
    return tag == 0xc3;
  }

  long integer() {
    int tag = unsigned8();
    if (tag < 0x80) {
      return tag;
    }
    if (tag >= 0xe0) {
      return (byte) tag;
    }
    switch (tag) {
      case 0xcc:
        return unsigned8();
      case 0xcd:
        return unsigned16();
      case 0xce:
        return signed32() & 0xffffffffL;
      case 0xcf:
      case 0xd3:
        return signed64();
      case 0xd0:
        return bytes[at++];
      case 0xd1:
        return (short) unsigned16();
      case 0xd2:
        return signed32();
      default:
        throw unexpected(tag, "an integer");
    }
  }

  private int unsigned8() {
    return bytes[at++] & 0xff;
  }

  private int unsigned16() {
    return (unsigned8() << 8) | unsigned8();
  }

  private int signed32() {
    return (unsigned16() << 16) | unsigned16();
  }

  private long signed64() {
    return ((long) signed32() << 32) | (signed32() & 0xffffffffL);
  }

  private IllegalStateException unexpected(int tag, String wanted) {
    return new IllegalStateException(
        String.format("MessagePack tag 0x%02x at byte %d, expected %s", tag, at - 1, wanted));
  }
}
