package dev.codewave.lake;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.apache.iceberg.AppendFiles;
import org.apache.iceberg.BaseTable;
import org.apache.iceberg.DataFile;
import org.apache.iceberg.DataFiles;
import org.apache.iceberg.PartitionSpec;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Table;
import org.apache.iceberg.TableOperations;
import org.apache.iceberg.catalog.Catalog;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.exceptions.CommitFailedException;
import org.apache.iceberg.exceptions.CommitStateUnknownException;
import org.apache.iceberg.exceptions.NoSuchTableException;
import org.apache.iceberg.exceptions.RESTException;
import org.apache.iceberg.inmemory.InMemoryCatalog;
import org.apache.iceberg.types.Types;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class OnceCatalogTest {
  private static final TableIdentifier NAME = TableIdentifier.of("rooms", "chat_messages");
  private static final Schema SCHEMA = new Schema(Types.NestedField.required(1, "text", Types.StringType.get()));

  private final InMemoryCatalog behind = new InMemoryCatalog();
  private final Catalog catalog = new OnceCatalog(behind);

  @BeforeEach
  void makeTable() {
    behind.initialize("test", Map.of());
    behind.createNamespace(Namespace.of("rooms"), Map.of());
    behind.createTable(NAME, SCHEMA);
  }

  @Test
  void aCheckpointIsCommittedOnceThoughTheTableWasReadBefore() {
    Table early = catalog.loadTable(NAME);
    commit(catalog.loadTable(NAME), "job", "sink", 7);

    AppendFiles again = append(early, "job", "sink", 7);

    assertThrows(CommitStateUnknownException.class, again::commit);
    assertEquals(1, files());
  }

  @Test
  void anEarlierCheckpointThanTheLastIsRefusedToo() {
    Table table = catalog.loadTable(NAME);
    commit(table, "job", "sink", 7);

    assertThrows(CommitStateUnknownException.class, append(table, "job", "sink", 6)::commit);
  }

  @Test
  void aCommitThatMeetsItselfAsAConflictHasSucceededAndStaysReadable() {
    commit(answering(() -> new CommitFailedException("the branch has changed")), "job", "sink", 7);

    Table table = catalog.loadTable(NAME);
    assertEquals(1, files());
    assertEquals(1, table.currentSnapshot().allManifests(table.io()).size());
  }

  @Test
  void aCommitWhoseAnswerIsLostHasSucceeded() {
    Table table = answering(() -> new RESTException("no answer"));
    commit(table, "job", "sink", 7);
    commit(table, "job", "sink", 8);

    assertEquals(2, files());
  }

  @Test
  void aCommitThatWasNotCarriedOutFails() {
    Table table = refusing(() -> new RESTException("no answer"));

    assertThrows(RESTException.class, append(table, "job", "sink", 7)::commit);
    assertNull(catalog.loadTable(NAME).currentSnapshot());
  }

  @Test
  void aCommitInConflictWithAnotherIsTriedAgain() {
    commit(refusing(() -> new CommitFailedException("the branch has changed")), "job", "sink", 7);

    assertEquals(1, files());
  }

  @Test
  void theNextCheckpointIsCommitted() {
    Table early = catalog.loadTable(NAME);
    commit(catalog.loadTable(NAME), "job", "sink", 7);
    commit(early, "job", "sink", 8);

    assertEquals(2, files());
  }

  @Test
  void anotherJobOrOperatorHasCheckpointsOfItsOwn() {
    Table table = catalog.loadTable(NAME);
    commit(table, "job", "sink", 7);
    commit(table, "other", "sink", 3);
    commit(table, "other", "second", 1);
    commit(table, "job", "sink", 8);

    assertEquals(4, files());
  }

  @Test
  void commitsOfOthersInBetweenDoNotHideTheLast() {
    Table table = catalog.loadTable(NAME);
    commit(table, "job", "sink", 7);
    table.newAppend().appendFile(file()).commit();

    assertThrows(CommitStateUnknownException.class, append(table, "job", "sink", 7)::commit);
  }

  @Test
  void whatIsNotASinksIsLeftAlone() {
    Table table = catalog.loadTable(NAME);
    table.newAppend().appendFile(file()).commit();
    table.updateProperties().set("owner", "rooms").commit();
    table.manageSnapshots().rollbackTo(table.currentSnapshot().snapshotId()).commit();

    assertEquals(1, files());
  }

  @Test
  void theCatalogBehindIsTheOneThatIsNamed() {
    OnceCatalog named = new OnceCatalog();
    named.initialize("lake", Map.of(OnceCatalog.CATALOG, InMemoryCatalog.class.getName()));

    assertEquals("lake", named.name());
    assertThrows(NoSuchTableException.class, () -> named.loadTable(NAME));
  }

  @Test
  void theCatalogBehindMustBeNamed() {
    assertThrows(IllegalArgumentException.class, () -> new OnceCatalog().initialize("lake", Map.of()));
  }

  /** The table of a catalog that carries out the first commit and then says that it failed. */
  private Table answering(Supplier<RuntimeException> failure) {
    return failing(failure, true);
  }

  /** The table of a catalog that does not carry out the first commit. */
  private Table refusing(Supplier<RuntimeException> failure) {
    return failing(failure, false);
  }

  private Table failing(Supplier<RuntimeException> failure, boolean carriedOut) {
    TableOperations operations = ((BaseTable) behind.loadTable(NAME)).operations();
    AtomicBoolean first = new AtomicBoolean(true);
    InvocationHandler handler =
        (proxy, method, arguments) -> {
          boolean fails = method.getName().equals("commit") && first.getAndSet(false);
          Object result = fails && !carriedOut ? null : method.invoke(operations, arguments);
          if (fails) {
            throw failure.get();
          }
          return result;
        };
    ClassLoader loader = OnceCatalogTest.class.getClassLoader();
    Object failing = Proxy.newProxyInstance(loader, new Class<?>[] {TableOperations.class}, handler);
    return new BaseTable(new OnceOperations((TableOperations) failing), "table");
  }

  private static void commit(Table table, String job, String operator, long checkpoint) {
    append(table, job, operator, checkpoint).commit();
  }

  private static AppendFiles append(Table table, String job, String operator, long checkpoint) {
    return table
        .newAppend()
        .appendFile(file())
        .set(OnceOperations.JOB, job)
        .set(OnceOperations.OPERATOR, operator)
        .set(OnceOperations.CHECKPOINT, Long.toString(checkpoint));
  }

  private static DataFile file() {
    return DataFiles.builder(PartitionSpec.unpartitioned())
        .withPath("memory:/part.parquet")
        .withFileSizeInBytes(1)
        .withRecordCount(1)
        .build();
  }

  private long files() {
    return Long.parseLong(catalog.loadTable(NAME).currentSnapshot().summary().get("total-data-files"));
  }
}
