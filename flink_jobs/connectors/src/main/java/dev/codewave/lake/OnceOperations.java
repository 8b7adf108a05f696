package dev.codewave.lake;

import java.util.Map;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.TableMetadata;
import org.apache.iceberg.TableOperations;
import org.apache.iceberg.encryption.EncryptionManager;
import org.apache.iceberg.exceptions.CommitStateUnknownException;
import org.apache.iceberg.exceptions.ValidationException;
import org.apache.iceberg.io.FileIO;
import org.apache.iceberg.io.LocationProvider;

/**
 * A table's operations that commit a Flink checkpoint once, whatever becomes of the answer.
 *
 * <p>A commit may be carried out although its caller is told otherwise, or nothing, or only much later. Iceberg's sink
 * looks for its last commit once, when it restores its state: if that is carried out only then, the same files are
 * appended again. And a commit that is answered with "503, try again" is sent again by the REST client itself and
 * meets itself as a conflict; Iceberg then removes the manifest list that it takes for unused, and nobody can read the
 * table any more.
 */
final class OnceOperations implements TableOperations {
  /** Written into every snapshot by Iceberg's {@code SinkUtil}. */
  static final String JOB = "flink.job-id";

  static final String OPERATOR = "flink.operator-id";
  static final String CHECKPOINT = "flink.max-committed-checkpoint-id";

  private final TableOperations operations;

  OnceOperations(TableOperations operations) {
    this.operations = operations;
  }

  /**
   * Commits, unless the checkpoint is committed already; one that failed, but is there, has not failed.
   *
   * <p>The catalog holds every attempt to the metadata that it builds on: what is checked in that cannot change.
   *
   * @throws CommitStateUnknownException if it is committed already. Of all failures this is the one after which Iceberg
   *     neither tries again nor removes files. The sink fails, and finds its last commit when it is restarted.
   */
  @Override
  public void commit(TableMetadata base, TableMetadata metadata) {
    Snapshot added = metadata.currentSnapshot();
    if (base == null || added == null || base.snapshot(added.snapshotId()) != null) {
      operations.commit(base, metadata);
      return;
    }
    Snapshot earlier = lastOf(added.summary(), base);
    if (earlier != null && checkpoint(earlier) >= checkpoint(added)) {
      throw new CommitStateUnknownException(
          new ValidationException(
              "%s: checkpoint %s of job %s is committed already, as snapshot %s",
              base.location(), checkpoint(added), added.summary().get(JOB), earlier.snapshotId()));
    }
    try {
      operations.commit(base, metadata);
    } catch (RuntimeException failure) {
      if (!isThere(added, failure)) {
        throw failure;
      }
    }
  }

  /** Whether a snapshot was committed after all. Where that cannot be found out, nothing may be tried or removed. */
  private boolean isThere(Snapshot added, RuntimeException failure) {
    try {
      return operations.refresh().snapshot(added.snapshotId()) != null;
    } catch (RuntimeException unreadable) {
      failure.addSuppressed(unreadable);
      throw new CommitStateUnknownException(failure);
    }
  }

  /** The last snapshot that the same job's same operator committed; {@code null} if there is none. */
  private static Snapshot lastOf(Map<String, String> sink, TableMetadata base) {
    if (!sink.containsKey(JOB) || !sink.containsKey(CHECKPOINT)) {
      return null;
    }
    Snapshot snapshot = base.currentSnapshot();
    while (snapshot != null && !isOf(sink, snapshot.summary())) {
      snapshot = snapshot.parentId() == null ? null : base.snapshot(snapshot.parentId());
    }
    return snapshot;
  }

  private static boolean isOf(Map<String, String> sink, Map<String, String> summary) {
    return sink.get(JOB).equals(summary.get(JOB))
        && summary.containsKey(CHECKPOINT)
        && (sink.get(OPERATOR) == null || sink.get(OPERATOR).equals(summary.get(OPERATOR)));
  }

  private static long checkpoint(Snapshot snapshot) {
    return Long.parseLong(snapshot.summary().get(CHECKPOINT));
  }

  @Override
  public TableMetadata current() {
    return operations.current();
  }

  @Override
  public TableMetadata refresh() {
    return operations.refresh();
  }

  @Override
  public FileIO io() {
    return operations.io();
  }

  @Override
  public EncryptionManager encryption() {
    return operations.encryption();
  }

  @Override
  public String metadataFileLocation(String fileName) {
    return operations.metadataFileLocation(fileName);
  }

  @Override
  public LocationProvider locationProvider() {
    return operations.locationProvider();
  }

  @Override
  public TableOperations temp(TableMetadata uncommittedMetadata) {
    return operations.temp(uncommittedMetadata);
  }

  @Override
  public long newSnapshotId() {
    return operations.newSnapshotId();
  }

  @Override
  public boolean requireStrictCleanup() {
    return operations.requireStrictCleanup();
  }
}
