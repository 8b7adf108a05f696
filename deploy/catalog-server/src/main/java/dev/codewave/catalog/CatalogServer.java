package dev.codewave.catalog;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.CatalogProperties;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.catalog.Catalog;
import org.apache.iceberg.jdbc.JdbcCatalog;
import org.apache.iceberg.rest.RESTCatalogAdapter;
import org.apache.iceberg.rest.RESTCatalogServlet;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.handler.gzip.GzipHandler;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.servlet.ServletHolder;

/**
 * Iceberg's REST catalog for one machine: Iceberg's own servlet on a SQLite file.
 *
 * <p>It has no authentication, so it listens on the loopback interface and nowhere else. All commits go through one
 * database connection: that serialises them, which several writers on the SQLite file itself do not manage.
 *
 * <p>Arguments, all required: {@code --port NUMBER --warehouse FOLDER --database FILE}; the folder may be a
 * {@code file:} URI.
 */
public final class CatalogServer {
  private static final String LOOPBACK = "127.0.0.1";
  private static final String USAGE = "usage: CatalogServer --port NUMBER --warehouse FOLDER --database FILE";

  private CatalogServer() {}

  /** Serves until the process is stopped; wrong arguments end it with exit code 2, a port in use with 1. */
  public static void main(String[] arguments) throws Exception {
    // Iceberg says three lines on every commit; -D on the command line still wins.
    System.getProperties().putIfAbsent("org.slf4j.simpleLogger.defaultLogLevel", "warn");
    Map<String, String> options = options(arguments);
    int port = Integer.parseInt(options.get("port"));
    Catalog catalog = catalog(folder(options.get("warehouse")), Path.of(options.get("database")));
    Server server = server(port, catalog);
    try {
      server.start();
    } catch (IOException error) {
      System.err.println("catalog: port " + port + " on " + LOOPBACK + ": " + error.getMessage());
      System.exit(1);
    }
    System.out.println("catalog: ready on " + server.getURI());
    server.join();
  }

  private static Map<String, String> options(String[] arguments) {
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      options.put(arguments[i].replaceFirst("^--", ""), arguments[i + 1]);
    }
    boolean complete = options.keySet().equals(Set.of("port", "warehouse", "database"));
    if (!complete || arguments.length % 2 != 0 || !options.get("port").matches("[0-9]{1,5}")) {
      System.err.println(USAGE);
      System.exit(2);
    }
    return options;
  }

  private static Path folder(String name) {
    return name.startsWith("file:") ? Path.of(URI.create(name)) : Path.of(name);
  }

  private static Catalog catalog(Path warehouse, Path database) throws IOException {
    Files.createDirectories(warehouse.toAbsolutePath());
    Files.createDirectories(database.toAbsolutePath().getParent());
    Map<String, String> properties =
        Map.of(
            CatalogProperties.CATALOG_IMPL, JdbcCatalog.class.getName(),
            CatalogProperties.WAREHOUSE_LOCATION, "file://" + warehouse.toAbsolutePath(),
            CatalogProperties.URI, "jdbc:sqlite:" + database.toAbsolutePath(),
            CatalogProperties.CLIENT_POOL_SIZE, "1",
            JdbcCatalog.PROPERTY_PREFIX + "journal_mode", "WAL",
            JdbcCatalog.PROPERTY_PREFIX + "busy_timeout", "10000",
            "jdbc.schema-version", "V1");
    return CatalogUtil.buildIcebergCatalog("codewave", properties, new Configuration());
  }

  private static Server server(int port, Catalog catalog) {
    ServletContextHandler context = new ServletContextHandler(ServletContextHandler.NO_SESSIONS);
    context.addServlet(new ServletHolder(new RESTCatalogServlet(new RESTCatalogAdapter(catalog))), "/*");
    context.insertHandler(new GzipHandler());
    Server server = new Server(new InetSocketAddress(LOOPBACK, port));
    server.setHandler(context);
    server.setStopAtShutdown(true);
    return server;
  }
}
