package dev.codewave.roomevents;

import java.io.IOException;
import java.lang.reflect.Field;
import java.util.function.BiConsumer;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.connector.opensearch.sink.Opensearch2Sink;
import org.apache.flink.table.data.RowData;
import org.opensearch.ExceptionsHelper;
import org.opensearch.action.bulk.BulkRequest;
import org.opensearch.action.bulk.BulkResponse;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.transport.RemoteTransportException;

/**
 * The stock sink, except that nobody waits while a bulk request is under way, and one that is rejected is sent again.
 *
 * <p>The stock writer holds its queue until a request is answered, and the task, with all its sinks, at the next row
 * for that index. Now rows are queued meanwhile. As before there is one request at a time, retries and all, so a
 * document's writes keep their order; where the next is full before the last is answered, the task waits. A checkpoint
 * waits in {@code flush} until every row is answered for, which never depended on who waits for a request.
 *
 * <p>A request that is rejected as a whole (429, as by a node that has no memory for it) is sent again like documents
 * that are: the stock sink's retries know only the exception that a node gets from a node.
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
    change(writer);
    return writer;
  }

  /**
   * Tells the writer's {@code BulkRequestHandler} that one request may be under way, in place of none, and changes how
   * it sends. It has one permit in both cases, which a request holds until it is answered; with none it waits for the
   * answer as well. The writer sets the number itself and offers no option for it.
   */
  @SuppressWarnings("unchecked")
  private static void change(SinkWriter<RowData> writer) {
    try {
      Object handler = read(read(writer, "bulkProcessor"), "bulkRequestHandler");
      field(handler, "concurrentRequests").setInt(handler, 1);
      Object send = read(handler, "consumer");
      field(handler, "consumer")
          .set(handler, rejectedAgain((BiConsumer<BulkRequest, ActionListener<BulkResponse>>) send));
    } catch (ReflectiveOperationException error) {
      throw new IllegalStateException("codewave-search does not know this version of opensearch-2", error);
    }
  }

  private static BiConsumer<BulkRequest, ActionListener<BulkResponse>> rejectedAgain(
      BiConsumer<BulkRequest, ActionListener<BulkResponse>> send) {
    return (request, listener) ->
        send.accept(
            request, ActionListener.delegateResponse(listener, (to, error) -> to.onFailure(asOfANode(error))));
  }

  private static Exception asOfANode(Exception error) {
    boolean rejected = ExceptionsHelper.status(error) == RestStatus.TOO_MANY_REQUESTS;
    return rejected ? new RemoteTransportException("a bulk request was rejected", error) : error;
  }

  private static Object read(Object owner, String name) throws ReflectiveOperationException {
    return field(owner, name).get(owner);
  }

  private static Field field(Object owner, String name) throws ReflectiveOperationException {
    Field field = owner.getClass().getDeclaredField(name);
    field.setAccessible(true);
    return field;
  }
}
