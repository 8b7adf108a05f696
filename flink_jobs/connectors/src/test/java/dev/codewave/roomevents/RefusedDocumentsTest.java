package dev.codewave.roomevents;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.connector.opensearch.sink.OpensearchEmitter;
import org.apache.flink.connector.opensearch.sink.RequestIndexer;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.SimpleCounter;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.table.data.RowData;
import org.apache.flink.util.FlinkRuntimeException;
import org.junit.jupiter.api.Test;
import org.opensearch.action.bulk.BulkRequest;
import org.opensearch.action.bulk.BulkResponse;
import org.opensearch.action.delete.DeleteRequest;
import org.opensearch.action.index.IndexRequest;
import org.opensearch.action.update.UpdateRequest;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.xcontent.DeprecationHandler;
import org.opensearch.core.xcontent.NamedXContentRegistry;

class RefusedDocumentsTest {
  private static final String CHAT = "rooms-chat-2026.11.22";
  private static final String MAPPING = "mapper_parsing_exception";

  private final SimpleCounter counted = new SimpleCounter();
  private final List<IndexRequest> added = new ArrayList<>();
  private final RefusedDocuments documents = new RefusedDocuments(new NoRows(), "rooms-refused-");

  @Test
  void keepsARefusedDocumentWhole() throws Exception {
    inspect(List.of(chat("a", "fine"), chat("b", "bad")), item("a", 201, null), item("b", 400, MAPPING));
    assertEquals(1, added.size());
    assertEquals("rooms-refused-2026.11.22", added.get(0).index());
    Map<String, Object> kept = added.get(0).sourceAsMap();
    assertTrue(String.valueOf(kept.remove("refused_at")).startsWith("20"));
    assertEquals(
        Map.of("index", CHAT, "id", "b", "error", MAPPING, "reason", "b [is] no,\n number]",
            "document", Map.of("text", "bad", "sequence", 9007199254740993L)),
        kept);
    assertEquals(1, counted.getCount());
  }

  @Test
  void findsTheDocumentWhereAnswersCameInAnotherOrder() throws Exception {
    inspect(List.of(chat("a", "bad"), chat("b", "fine")), item("b", 201, null), item("a", 400, MAPPING));
    assertEquals("a", added.get(0).sourceAsMap().get("id"));
    assertEquals(1, added.size());
  }

  @Test
  void givesTheSameIdAgainAndAnotherToAnotherVersion() throws Exception {
    for (String text : List.of("one", "one", "two")) {
      inspect(List.of(chat("a", text)), item("a", 400, MAPPING));
    }
    assertEquals(added.get(0).id(), added.get(1).id());
    assertFalse(added.get(0).id().equals(added.get(2).id()));
  }

  @Test
  void failsForWhatIsNotTheDocumentsFault() {
    Map<String, Integer> errors =
        Map.of("index_closed_exception", 400, "validation_exception", 400, "cluster_block_exception", 403,
            "index_not_found_exception", 404, "version_conflict_engine_exception", 409,
            "opensearch_rejected_execution_exception", 429, "unavailable_shards_exception", 503);
    errors.forEach(
        (type, status) -> {
          FlinkRuntimeException error =
              assertThrows(
                  FlinkRuntimeException.class,
                  () -> inspect(List.of(chat("a", "secret")), item("a", status, type)),
                  type);
          assertEquals("OpenSearch did not take a document: " + CHAT + ": " + type, error.getMessage());
        });
    assertEquals(List.of(), added);
  }

  @Test
  void keepsNothingWhereAnotherDocumentFailed() {
    assertThrows(
        FlinkRuntimeException.class,
        () -> inspect(List.of(chat("a", "x"), chat("b", "y")), item("a", 400, MAPPING), item("b", 429, "x")));
    assertEquals(List.of(), added);
  }

  @Test
  void failsWhereTheIndexOfRefusedDocumentsRefuses() {
    UpdateRequest refused = update("rooms-refused-2026.11.22", "a", "x");
    assertThrows(FlinkRuntimeException.class, () -> inspect(List.of(refused), item(refused.index(), "a", 400, MAPPING)));
  }

  private void inspect(List<UpdateRequest> requests, String... items) throws Exception {
    BulkRequest bulk = new BulkRequest();
    requests.forEach(bulk::add);
    String json = "{\"took\":1,\"errors\":true,\"items\":[" + String.join(",", items) + "]}";
    BulkResponse answer =
        BulkResponse.fromXContent(
            XContentType.JSON
                .xContent()
                .createParser(NamedXContentRegistry.EMPTY, DeprecationHandler.IGNORE_DEPRECATIONS, json));
    documents.emit(null, null, new Added());
    documents.apply(this::metrics).inspect(bulk, answer);
  }

  private MetricGroup metrics() {
    return new UnregisteredMetricsGroup() {
      @Override
      public MetricGroup addGroup(String name) {
        assertEquals("kinesisanalytics", name);
        return this;
      }

      @Override
      public Counter counter(String name) {
        assertEquals("documentsRefused", name);
        return counted;
      }
    };
  }

  private static UpdateRequest chat(String id, String text) {
    return update(CHAT, id, text);
  }

  private static UpdateRequest update(String index, String id, String text) {
    String source = "{\"text\":\"" + text + "\",\"sequence\":9007199254740993}";
    return new UpdateRequest(index, id).doc(source, XContentType.JSON).upsert(source, XContentType.JSON);
  }

  private static String item(String id, int status, String error) {
    return item(CHAT, id, status, error);
  }

  private static String item(String index, String id, int status, String error) {
    String place = "\"_index\":\"" + index + "\",\"_id\":\"" + id + "\",\"status\":" + status;
    return error == null
        ? "{\"update\":{" + place + ",\"result\":\"created\",\"_shards\":{},\"_seq_no\":1,\"_primary_term\":1,"
            + "\"_version\":1}}"
        : "{\"update\":{" + place + ",\"error\":{\"type\":\"" + error + "\",\"reason\":\"" + id
            + " [is] no,\\n number]\"}}}";
  }

  private final class Added implements RequestIndexer {
    @Override
    public void add(DeleteRequest... requests) {}

    @Override
    public void add(UpdateRequest... requests) {}

    @Override
    public void add(IndexRequest... requests) {
      added.addAll(List.of(requests));
    }
  }

  private static final class NoRows implements OpensearchEmitter<RowData> {
    @Override
    public void emit(RowData row, SinkWriter.Context context, RequestIndexer indexer) {}
  }
}
