package dev.codewave.roomevents;

import java.io.IOException;
import java.lang.reflect.Field;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.connector.opensearch.sink.Opensearch2Sink;
import org.apache.flink.table.data.RowData;

/**
 * The stock sink, except that nobody waits while a bulk request is under way.
 *
 * <p>The stock writer holds its queue until a request is answered, and the task, with all its sinks, at the next row
 * for that index. Now rows are queued meanwhile. As before there is one request at a time, retries and all, so a
 * document's writes keep their order; where the next is full before the last is answered, the task waits. A checkpoint
 * waits in {@code flush} until every row is answered for, which never depended on who waits for a request.
 */
final class SearchSink implements Sink<RowData> {
  private static final long serialVersionUID = 1L;

  private final Opensearch2Sink<RowData> stock;

  SearchSink(Opensearch2Sink<RowData> stock) {
    this.stock = stock;
  }

  @Override
  @SuppressWarnings("deprecation") // the stock sink has no other
  public SinkWriter<RowData> createWriter(InitContext context) throws IOException {
    SinkWriter<RowData> writer = stock.createWriter(context);
    sendWithoutWaiting(writer);
    return writer;
  }

  /**
   * Tells the writer's {@code BulkRequestHandler} that one request may be under way, in place of none. It has one
   * permit in both cases, which a request holds until it is answered; with none it waits for the answer as well. The
   * writer sets the number itself and offers no option for it.
   */
  private static void sendWithoutWaiting(SinkWriter<RowData> writer) {
    try {
      Object handler = read(read(writer, "bulkProcessor"), "bulkRequestHandler");
      Field concurrent = handler.getClass().getDeclaredField("concurrentRequests");
      concurrent.setAccessible(true);
      concurrent.setInt(handler, 1);
    } catch (ReflectiveOperationException error) {
      throw new IllegalStateException("codewave-search does not know this version of opensearch-2", error);
    }
  }

  private static Object read(Object owner, String name) throws ReflectiveOperationException {
    Field field = owner.getClass().getDeclaredField(name);
    field.setAccessible(true);
    return field.get(owner);
  }
}
