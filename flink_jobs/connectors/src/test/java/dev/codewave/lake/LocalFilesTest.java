package dev.codewave.lake;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalFilesTest {
  @TempDir private java.nio.file.Path folder;
  private FileSystem files;

  @BeforeEach
  void open() throws IOException {
    Configuration configuration = new Configuration();
    configuration.set("fs.file.impl", LocalFiles.class.getName());
    files = FileSystem.newInstance(URI.create("file:///"), configuration);
    assertSame(LocalFiles.class, files.getClass());
  }

  @Test
  void writesAFileWithItsFoldersAndNothingBeside() throws IOException {
    try (OutputStream out = files.create(new Path(folder.toUri() + "/a/b/c.parquet"), false)) {
      out.write(1);
    }
    assertArrayEquals(new byte[] {1}, Files.readAllBytes(folder.resolve("a/b/c.parquet")));
    try (Stream<java.nio.file.Path> names = Files.list(folder.resolve("a/b"))) {
      assertEquals(List.of(folder.resolve("a/b/c.parquet")), names.collect(Collectors.toList()));
    }
    try (var in = files.open(new Path(folder.toUri() + "/a/b/c.parquet"))) {
      assertEquals(1, in.read());
    }
  }

  @Test
  void setsThePermissionsAskedFor() throws IOException {
    java.nio.file.Path file = Files.createFile(folder.resolve("file"));
    for (String wanted : List.of("rw-r-----", "rwxrwxrwx", "r--------")) {
      files.setPermission(new Path(file.toUri()), FsPermission.valueOf("-" + wanted));
      assertEquals(wanted, PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
    }
  }
}
