package dev.codewave.lake;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * Hadoop's local file system, for a lake on this machine, without what makes its files dear: it starts a process
 * ({@code chmod}) for every file and folder, and writes a second file of checksums, which Parquet and the lake's
 * metadata have themselves. A cluster uses it with {@code flink.hadoop.fs.file.impl}.
 */
public final class LocalFiles extends LocalFileSystem {
  public LocalFiles() {
    super(new Raw());
    setWriteChecksum(false);
  }

  private static final class Raw extends RawLocalFileSystem {
    @Override
    public void setPermission(Path path, FsPermission permission) throws IOException {
      FsPermission plain = new FsPermission((short) (permission.toShort() & 0777));
      Files.setPosixFilePermissions(pathToFile(path).toPath(), PosixFilePermissions.fromString(plain.toString()));
    }
  }
}
