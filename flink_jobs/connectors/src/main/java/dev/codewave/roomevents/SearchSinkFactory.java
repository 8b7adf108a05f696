package dev.codewave.roomevents;

import java.lang.reflect.Field;
import java.util.HashSet;
import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.connector.opensearch.sink.Opensearch2Sink;
import org.apache.flink.connector.opensearch.sink.OpensearchEmitter;
import org.apache.flink.connector.opensearch.table.Opensearch2DynamicSinkFactory;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.connector.sink.SinkV2Provider;
import org.apache.flink.table.data.RowData;

/**
 * The SQL connector {@code codewave-search}: {@code opensearch-2}, except that a document which OpenSearch refuses
 * goes to another index instead of ending the job, see {@link RefusedDocuments}, and that rows go on while a request is
 * under way, see {@link SearchSink}.
 */
public final class SearchSinkFactory extends Opensearch2DynamicSinkFactory {
  static final ConfigOption<String> REFUSED_INDEX =
      ConfigOptions.key("refused-index")
          .stringType()
          .noDefaultValue()
          .withDescription("Index of refused documents, without the day that is appended to it.");

  @Override
  public String factoryIdentifier() {
    return "codewave-search";
  }

  @Override
  public Set<ConfigOption<?>> requiredOptions() {
    Set<ConfigOption<?>> options = new HashSet<>(super.requiredOptions());
    options.add(REFUSED_INDEX);
    return options;
  }

  @Override
  public DynamicTableSink createDynamicTableSink(Context context) {
    String index = context.getCatalogTable().getOptions().get(REFUSED_INDEX.key());
    return new SearchTable(super.createDynamicTableSink(context), index);
  }

  private static final class SearchTable implements DynamicTableSink {
    private final DynamicTableSink stock;
    private final String refusedIndex;

    SearchTable(DynamicTableSink stock, String refusedIndex) {
      this.stock = stock;
      this.refusedIndex = refusedIndex;
    }

    @Override
    public ChangelogMode getChangelogMode(ChangelogMode requested) {
      return stock.getChangelogMode(requested);
    }

    @Override
    public SinkRuntimeProvider getSinkRuntimeProvider(Context context) {
      SinkV2Provider provider = (SinkV2Provider) stock.getSinkRuntimeProvider(context);
      Opensearch2Sink<RowData> sink = (Opensearch2Sink<RowData>) provider.createSink();
      keepRefused(sink, refusedIndex);
      return SinkV2Provider.of(new SearchSink(sink), provider.getParallelism().orElse(null));
    }

    @Override
    public DynamicTableSink copy() {
      return new SearchTable(stock.copy(), refusedIndex);
    }

    @Override
    public String asSummaryString() {
      return stock.asSummaryString();
    }
  }

  /**
   * Puts our emitter and inspector in the place of the sink's own. Its builder takes both, but the SQL connector makes
   * the builder inside a method, out of classes that only its package sees.
   */
  @SuppressWarnings("unchecked")
  static void keepRefused(Opensearch2Sink<RowData> sink, String refusedIndex) {
    try {
      Field emitter = Opensearch2Sink.class.getDeclaredField("emitter");
      Field inspector = Opensearch2Sink.class.getDeclaredField("bulkResponseInspectorFactory");
      emitter.setAccessible(true);
      inspector.setAccessible(true);
      RefusedDocuments ours = new RefusedDocuments((OpensearchEmitter<RowData>) emitter.get(sink), refusedIndex);
      emitter.set(sink, ours);
      inspector.set(sink, ours);
    } catch (ReflectiveOperationException error) {
      throw new IllegalStateException("codewave-search does not know this version of opensearch-2", error);
    }
  }
}
