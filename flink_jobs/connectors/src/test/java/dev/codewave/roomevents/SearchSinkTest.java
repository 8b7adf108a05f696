package dev.codewave.roomevents;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.connector.opensearch.sink.FlushBackoffType;
import org.apache.flink.connector.opensearch.sink.Opensearch2SinkBuilder;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.util.function.ThrowingRunnable;
import org.apache.http.HttpHost;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.opensearch.action.index.IndexRequest;

/** The real writer and client, against a server that answers each bulk request when it is told to. */
@Timeout(60)
class SearchSinkTest {
  private static final int A_REQUEST = 2;
  private static final int RETRIES = 2;
  private static final Pattern ID = Pattern.compile("\"_id\":\"(\\w+)\"");

  private final Semaphore answers = new Semaphore(0);
  private final AtomicInteger rejections = new AtomicInteger();
  private final BlockingQueue<List<String>> requests = new LinkedBlockingQueue<>();
  private final List<String> answered = Collections.synchronizedList(new ArrayList<>());
  private final BlockingQueue<ThrowingRunnable<? extends Exception>> mails = new LinkedBlockingQueue<>();
  private final ExecutorService serving = Executors.newCachedThreadPool();
  private HttpServer server;
  private SinkWriter<RowData> writer;

  @BeforeEach
  void start() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(serving);
    server.createContext("/_bulk", this::answer);
    server.start();
    writer =
        new SearchSink(
                new Opensearch2SinkBuilder<RowData>()
                    .setHosts(new HttpHost("127.0.0.1", server.getAddress().getPort()))
                    .setEmitter((row, context, queue) -> queue.add(document(row)))
                    .setBulkFlushMaxActions(A_REQUEST)
                    .setBulkFlushBackoffStrategy(FlushBackoffType.CONSTANT, RETRIES, 10)
                    .build())
            .createWriter(context());
  }

  @AfterEach
  void stop() throws Exception {
    answers.release(100);
    writer.close();
    server.stop(0);
    serving.shutdownNow();
  }

  @Test
  void takesRowsWhileARequestIsUnderWay() throws Exception {
    write("a", "b", "c");
    assertEquals(List.of("a", "b"), requests.poll(20, TimeUnit.SECONDS));
    assertEquals(List.of(), answered);
  }

  @Test
  void sendsOneRequestAtATimeInTheOrderOfItsRows() throws Exception {
    CompletableFuture<Void> writing = CompletableFuture.runAsync(() -> write("a", "b", "c", "d", "e"));
    assertEquals(List.of("a", "b"), requests.poll(20, TimeUnit.SECONDS));
    assertNull(requests.poll(300, TimeUnit.MILLISECONDS), "the second waits for the first's answer");
    assertFalse(writing.isDone(), "what cannot be sent is not queued without end");
    answers.release();
    assertEquals(List.of("c", "d"), requests.poll(20, TimeUnit.SECONDS));
    writing.get(20, TimeUnit.SECONDS);
    answers.release(2);
    writer.flush(false);
    assertEquals(List.of("a", "b", "c", "d", "e"), answered);
  }

  @Test
  void aCheckpointWaitsUntilEveryRowIsAnsweredFor() throws Exception {
    write("a", "b", "c");
    CompletableFuture<List<String>> answeredAtItsEnd =
        CompletableFuture.supplyAsync(
            () -> {
              flush();
              return List.copyOf(answered);
            });
    assertEquals(List.of("a", "b"), requests.poll(20, TimeUnit.SECONDS));
    answers.release();
    assertEquals(List.of("c"), requests.poll(20, TimeUnit.SECONDS));
    assertFalse(answeredAtItsEnd.isDone());
    answers.release();
    assertEquals(List.of("a", "b", "c"), answeredAtItsEnd.get(20, TimeUnit.SECONDS));
  }

  @Test
  void sendsAgainWhatIsRejectedAsAWhole() throws Exception {
    answers.release(100);
    rejections.set(RETRIES);
    write("a", "b", "c");
    writer.flush(false);
    assertEquals(List.of("a", "b", "c"), answered);
    assertEquals(RETRIES + 2, requests.size());
  }

  @Test
  void failsWithTheReasonWhenARequestIsRejectedTooOften() {
    answers.release(100);
    rejections.set(100);
    write("a", "b");
    IllegalStateException error = assertThrows(IllegalStateException.class, this::flush);
    StringWriter whole = new StringWriter();
    error.printStackTrace(new PrintWriter(whole));
    assertTrue(whole.toString().contains("Data too large"), whole.toString());
    assertEquals(RETRIES + 1, requests.size());
  }

  private void write(String... ids) {
    try {
      for (String id : ids) {
        writer.write(GenericRowData.of(StringData.fromString(id)), null);
      }
    } catch (IOException | InterruptedException error) {
      throw new IllegalStateException(error);
    }
  }

  private void flush() {
    try {
      writer.flush(false);
    } catch (IOException | InterruptedException error) {
      throw new IllegalStateException(error);
    }
  }

  private static IndexRequest document(RowData row) {
    return new IndexRequest("index").id(row.getString(0).toString()).source("key", "value");
  }

  private void answer(HttpExchange exchange) throws IOException {
    String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    List<String> ids = ID.matcher(body).results().map(found -> found.group(1)).collect(Collectors.toList());
    requests.add(ids);
    answers.acquireUninterruptibly();
    if (rejections.getAndDecrement() > 0) {
      String reason = "{\"type\":\"circuit_breaking_exception\",\"reason\":\"Data too large\"}";
      send(exchange, 429, "{\"error\":" + reason + ",\"status\":429}");
      return;
    }
    answered.addAll(ids);
    String items =
        ids.stream()
            .map(
                id ->
                    "{\"index\":{\"_index\":\"index\",\"_id\":\"" + id + "\",\"_version\":1,\"result\":\"created\","
                        + "\"_shards\":{\"total\":1,\"successful\":1,\"failed\":0},\"_seq_no\":0,"
                        + "\"_primary_term\":1,\"status\":201}}")
            .collect(Collectors.joining(","));
    send(exchange, 200, "{\"took\":1,\"errors\":false,\"items\":[" + items + "]}");
  }

  private static void send(HttpExchange exchange, int status, String text) throws IOException {
    byte[] answer = text.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    exchange.sendResponseHeaders(status, answer.length);
    exchange.getResponseBody().write(answer);
    exchange.close();
  }

  private Sink.InitContext context() {
    return (Sink.InitContext)
        Proxy.newProxyInstance(
            getClass().getClassLoader(),
            new Class<?>[] {Sink.InitContext.class},
            (proxy, method, arguments) -> {
              switch (method.getName()) {
                case "metricGroup":
                  return UnregisteredMetricsGroup.createSinkWriterMetricGroup();
                case "getMailboxExecutor":
                  return new Mailbox();
                default:
                  throw new UnsupportedOperationException(method.getName());
              }
            });
  }

  /** Runs what is put into it where it is asked to, as the task's own does. */
  private final class Mailbox implements MailboxExecutor {
    @Override
    public void execute(
        MailOptions options, ThrowingRunnable<? extends Exception> command, String format, Object... arguments) {
      mails.add(command);
    }

    @Override
    public void yield() throws InterruptedException {
      run(mails.take());
    }

    @Override
    public boolean tryYield() {
      ThrowingRunnable<? extends Exception> mail = mails.poll();
      if (mail != null) {
        run(mail);
      }
      return mail != null;
    }

    @Override
    public boolean shouldInterrupt() {
      return false;
    }

    private void run(ThrowingRunnable<? extends Exception> mail) {
      try {
        mail.run();
      } catch (Exception error) {
        throw new IllegalStateException(error);
      }
    }
  }
}
