package dev.codewave.roomevents;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class MessagePackReaderTest {
  private static MessagePackReader of(int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < values.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return new MessagePackReader(bytes);
  }

  @Test
  void readsIntegersOfEverySize() {
    assertEquals(0, of(0x00).integer());
    assertEquals(127, of(0x7f).integer());
    assertEquals(-1, of(0xff).integer());
    assertEquals(-32, of(0xe0).integer());
    assertEquals(255, of(0xcc, 0xff).integer());
    assertEquals(0xfffe, of(0xcd, 0xff, 0xfe).integer());
    assertEquals(0xfffffffeL, of(0xce, 0xff, 0xff, 0xff, 0xfe).integer());
    assertEquals(1L << 40 | 7, of(0xcf, 0, 0, 1, 0, 0, 0, 0, 7).integer());
    assertEquals(-128, of(0xd0, 0x80).integer());
    assertEquals(-32768, of(0xd1, 0x80, 0).integer());
    assertEquals(Integer.MIN_VALUE, of(0xd2, 0x80, 0, 0, 0).integer());
    assertEquals(Long.MIN_VALUE, of(0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0).integer());
  }

  @Test
  void readsLengthsOfEverySize() {
    assertEquals(15, of(0x9f).arrayLength());
    assertEquals(0xfffe, of(0xdc, 0xff, 0xfe).arrayLength());
    assertEquals(0x10000, of(0xdd, 0, 1, 0, 0).arrayLength());
    assertEquals(31, of(0xbf).byteLength());
    assertEquals(200, of(0xd9, 200).byteLength());
    assertEquals(0xfffe, of(0xda, 0xff, 0xfe).byteLength());
    assertEquals(0x10000, of(0xdb, 0, 1, 0, 0).byteLength());
    assertEquals(200, of(0xc4, 200).byteLength());
    assertEquals(0xfffe, of(0xc5, 0xff, 0xfe).byteLength());
    assertEquals(0x10000, of(0xc6, 0, 1, 0, 0).byteLength());
  }

  @Test
  void goesOnWhereAValueEnds() {
    MessagePackReader reader = of(0xcd, 1, 0, 0xc0, 0xc3, 0xa1, 'x', 0x05);
    assertEquals(256, reader.integer());
    assertTrue(reader.nextIsNil());
    assertFalse(reader.nextIsNil());
    assertTrue(reader.bool());
    assertEquals(6, reader.skip(reader.byteLength()));
    assertEquals(5, reader.integer());
  }

  @Test
  void refusesATagOfAnotherType() {
    for (int tag : new int[] {0xc0, 0xc3, 0xca, 0xcb, 0xd4, 0xd9, 0xdf, 0xa1, 0x91}) {
      assertThrows(IllegalStateException.class, () -> of(tag, 0, 0, 0, 0, 0, 0, 0, 0).integer());
    }
    for (int tag : new int[] {0xc0, 0xc3, 0xc7, 0xcf, 0xd8, 0xdc, 0xdd, 0x91, 0x7f, 0xff}) {
      assertThrows(IllegalStateException.class, () -> of(tag, 0, 0, 0, 0).byteLength());
    }
    for (int tag : new int[] {0xc0, 0xdb, 0xde, 0xdf, 0xa1, 0x81, 0x00}) {
      assertThrows(IllegalStateException.class, () -> of(tag, 0, 0, 0, 0).arrayLength());
    }
    assertThrows(IllegalStateException.class, () -> of(0x01).bool());
  }
}
