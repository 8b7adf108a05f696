package dev.codewave.roomevents;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.junit.jupiter.api.Test;

class SourceClockTest {
  private final List<Watermark> sent = new ArrayList<>();
  private final WatermarkOutput output =
      new WatermarkOutput() {
        @Override
        public void emitWatermark(Watermark watermark) {
          sent.add(watermark);
        }

        @Override
        public void markIdle() {
          throw new AssertionError("the clock is never idle");
        }

        @Override
        public void markActive() {
          throw new AssertionError("the clock is never idle");
        }
      };

  @Test
  void theWallClockIsSentWhetherRecordsComeOrNot() {
    WatermarkGenerator<Object> generator = new SourceClock().createWatermarkGenerator(null);
    long before = System.currentTimeMillis();
    generator.onPeriodicEmit(output);
    generator.onEvent("a record", 7L, output);
    generator.onPeriodicEmit(output);
    assertEquals(2, sent.size());
    for (Watermark watermark : sent) {
      assertTrue(before <= watermark.getTimestamp());
      assertTrue(watermark.getTimestamp() <= System.currentTimeMillis());
    }
  }
}
