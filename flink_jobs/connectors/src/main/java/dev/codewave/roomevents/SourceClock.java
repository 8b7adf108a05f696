package dev.codewave.roomevents;

import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkGeneratorSupplier;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;

/**
 * Sends the wall clock along with the records, as watermarks: who has received one has received all that was sent
 * before it.
 *
 * <p>So an operator that is held up, by a sink that takes nothing, say, can tell that from a stream that is silent: its
 * own timers fire in both cases, but only in the second does the clock that is sent along go on.
 */
public final class SourceClock implements WatermarkStrategy<Object> {
  private static final long serialVersionUID = 1L;

  @Override
  public WatermarkGenerator<Object> createWatermarkGenerator(WatermarkGeneratorSupplier.Context context) {
    return new WatermarkGenerator<Object>() {
      @Override
      public void onEvent(Object record, long timestamp, WatermarkOutput output) {
        // The time goes on whether records come or not.
      }

      @Override
      public void onPeriodicEmit(WatermarkOutput output) {
        output.emitWatermark(new Watermark(System.currentTimeMillis()));
      }
    };
  }
}
