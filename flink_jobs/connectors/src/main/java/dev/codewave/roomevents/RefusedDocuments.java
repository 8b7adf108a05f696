package dev.codewave.roomevents;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.connector.opensearch.sink.BulkResponseInspector;
import org.apache.flink.connector.opensearch.sink.OpensearchEmitter;
import org.apache.flink.connector.opensearch.sink.RequestIndexer;
import org.apache.flink.metrics.Counter;
import org.apache.flink.table.data.RowData;
import org.apache.flink.util.FlinkRuntimeException;
import org.opensearch.action.DocWriteRequest;
import org.opensearch.action.bulk.BulkItemResponse;
import org.opensearch.action.bulk.BulkRequest;
import org.opensearch.action.bulk.BulkResponse;
import org.opensearch.action.index.IndexRequest;
import org.opensearch.action.update.UpdateRequest;
import org.opensearch.core.rest.RestStatus;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes each document that OpenSearch refuses for its content, whole, to an index for refused ones. Everything else
 * that goes wrong ends the job's attempt, which then starts again from its last checkpoint.
 *
 * <p>It wraps the emitter to get at the sink's own queue: what is added there while an answer is looked at is written
 * before the next checkpoint is complete. Answers are looked at in the task's thread, as rows are.
 */
final class RefusedDocuments
    implements OpensearchEmitter<RowData>, BulkResponseInspector.BulkResponseInspectorFactory {
  private static final long serialVersionUID = 1L;
  private static final Logger LOG = LoggerFactory.getLogger(RefusedDocuments.class);

  /**
   * Errors of status 400 that a document has itself to blame for. Other errors of that status would be wrong to keep:
   * {@code index_closed_exception}, {@code validation_exception} (too many shards).
   */
  private static final Set<String> REFUSALS =
      Set.of("mapper_parsing_exception", "strict_dynamic_mapping_exception", "illegal_argument_exception");

  /** How the client words an error: its type and reason are not to be had in any other way. */
  private static final Pattern ERROR =
      Pattern.compile("OpenSearch exception \\[type=([^,\\]]*), reason=(.*)\\]", Pattern.DOTALL);

  private static final Pattern DAY = Pattern.compile("\\d{4}\\.\\d{2}\\.\\d{2}$");

  private final OpensearchEmitter<RowData> rows;
  private final String refusedIndex;
  private transient RequestIndexer queue;
  private transient Counter refusedCount;

  RefusedDocuments(OpensearchEmitter<RowData> rows, String refusedIndex) {
    this.rows = rows;
    this.refusedIndex = refusedIndex;
  }

  @Override
  public void open() throws Exception {
    rows.open();
  }

  @Override
  public void close() throws Exception {
    rows.close();
  }

  @Override
  public void emit(RowData row, SinkWriter.Context context, RequestIndexer indexer) {
    queue = indexer;
    rows.emit(row, context, indexer);
  }

  @Override
  public BulkResponseInspector apply(InitContext context) {
    // Managed Flink passes on the metrics of this group and no others.
    refusedCount = context.metricGroup().addGroup("kinesisanalytics").counter("documentsRefused");
    return this::inspect;
  }

  void inspect(BulkRequest bulk, BulkResponse answer) {
    if (!answer.hasFailures()) {
      return;
    }
    // By id: where a part of a bulk was sent again, the answers are in another order than the requests.
    Map<String, Matcher> errors = new HashMap<>();
    Set<String> kinds = new TreeSet<>();
    for (BulkItemResponse item : answer) {
      if (item.isFailed()) {
        BulkItemResponse.Failure failure = item.getFailure();
        Matcher error = ERROR.matcher(String.valueOf(failure.getCause().getMessage()));
        String kind = failure.getIndex() + ": " + (error.matches() ? error.group(1) : failure.getStatus());
        if (!isRefusal(failure, error)) {
          // Not the failure itself: it quotes the document, and this goes into logs.
          throw new FlinkRuntimeException("OpenSearch did not take a document: " + kind);
        }
        kinds.add(kind);
        errors.put(failure.getId(), error);
      }
    }
    for (DocWriteRequest<?> request : bulk.requests()) {
      if (errors.containsKey(request.id())) {
        queue.add(keep(request, errors.get(request.id())));
      }
    }
    refusedCount.inc(errors.size());
    LOG.warn("OpenSearch refused {} of {} documents ({}); they are in {}*", errors.size(), bulk.numberOfActions(),
        String.join(", ", kinds), refusedIndex);
  }

  private boolean isRefusal(BulkItemResponse.Failure failure, Matcher error) {
    return failure.getStatus() == RestStatus.BAD_REQUEST
        && error.matches()
        && REFUSALS.contains(error.group(1))
        && !failure.getIndex().startsWith(refusedIndex);
  }

  /** The same document refused again, after a restart, gets the same id in the same index. */
  private IndexRequest keep(DocWriteRequest<?> request, Matcher error) {
    IndexRequest document =
        request instanceof UpdateRequest ? ((UpdateRequest) request).doc() : (IndexRequest) request;
    String identity = request.index() + "\n" + request.id() + "\n" + document.source().utf8ToString();
    Matcher day = DAY.matcher(request.index());
    String suffix =
        day.find() ? day.group() : LocalDate.now(ZoneOffset.UTC).format(DateTimeFormatter.ofPattern("yyyy.MM.dd"));
    return new IndexRequest(refusedIndex + suffix)
        .id(UUID.nameUUIDFromBytes(identity.getBytes(StandardCharsets.UTF_8)).toString())
        .source(
            Map.of(
                "index", request.index(),
                "id", request.id(),
                "error", error.group(1),
                "reason", error.group(2),
                "refused_at", Instant.now().toString(),
                "document", document.sourceAsMap()));
  }
}
