package dev.codewave.lake;

import java.io.Closeable;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.iceberg.BaseTable;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Table;
import org.apache.iceberg.catalog.Catalog;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.SupportsNamespaces;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.hadoop.Configurable;

/**
 * An Iceberg catalog whose tables commit each Flink checkpoint once, whatever becomes of the answers.
 *
 * <p>It stands in front of another catalog, whose class the property {@value #CATALOG} names and which gets all
 * properties. See {@link OnceOperations}.
 */
public final class OnceCatalog implements Catalog, SupportsNamespaces, Configurable<Object>, Closeable {
  /** Property that names the class of the catalog behind. */
  public static final String CATALOG = "once.catalog-impl";

  private Object configuration;
  private Catalog catalog;

  /** For Iceberg, which then calls {@link #setConf} and {@link #initialize}. */
  public OnceCatalog() {}

  OnceCatalog(Catalog catalog) {
    this.catalog = catalog;
  }

  @Override
  public void setConf(Object hadoopConfiguration) {
    configuration = hadoopConfiguration;
  }

  @Override
  public void initialize(String name, Map<String, String> properties) {
    if (!properties.containsKey(CATALOG)) {
      throw new IllegalArgumentException("catalog " + name + ": the property " + CATALOG + " is missing; name a class");
    }
    catalog = CatalogUtil.loadCatalog(properties.get(CATALOG), name, properties, configuration);
  }

  @Override
  public String name() {
    return catalog.name();
  }

  @Override
  public Table loadTable(TableIdentifier identifier) {
    return once(catalog.loadTable(identifier));
  }

  @Override
  public Table registerTable(TableIdentifier identifier, String metadataFileLocation) {
    return once(catalog.registerTable(identifier, metadataFileLocation));
  }

  /** Views of a table's own metadata come as other classes: nothing is committed to them. */
  private static Table once(Table table) {
    if (table.getClass() != BaseTable.class) {
      return table;
    }
    BaseTable base = (BaseTable) table;
    return new BaseTable(new OnceOperations(base.operations()), base.name(), base.reporter());
  }

  @Override
  public TableBuilder buildTable(TableIdentifier identifier, Schema schema) {
    return catalog.buildTable(identifier, schema);
  }

  @Override
  public List<TableIdentifier> listTables(Namespace namespace) {
    return catalog.listTables(namespace);
  }

  @Override
  public boolean dropTable(TableIdentifier identifier, boolean purge) {
    return catalog.dropTable(identifier, purge);
  }

  @Override
  public void renameTable(TableIdentifier from, TableIdentifier to) {
    catalog.renameTable(from, to);
  }

  @Override
  public void invalidateTable(TableIdentifier identifier) {
    catalog.invalidateTable(identifier);
  }

  @Override
  public void createNamespace(Namespace namespace, Map<String, String> metadata) {
    namespaces().createNamespace(namespace, metadata);
  }

  @Override
  public List<Namespace> listNamespaces(Namespace namespace) {
    return namespaces().listNamespaces(namespace);
  }

  @Override
  public Map<String, String> loadNamespaceMetadata(Namespace namespace) {
    return namespaces().loadNamespaceMetadata(namespace);
  }

  @Override
  public boolean dropNamespace(Namespace namespace) {
    return namespaces().dropNamespace(namespace);
  }

  @Override
  public boolean setProperties(Namespace namespace, Map<String, String> properties) {
    return namespaces().setProperties(namespace, properties);
  }

  @Override
  public boolean removeProperties(Namespace namespace, Set<String> properties) {
    return namespaces().removeProperties(namespace, properties);
  }

  private SupportsNamespaces namespaces() {
    return (SupportsNamespaces) catalog;
  }

  @Override
  public void close() throws IOException {
    if (catalog instanceof Closeable) {
      ((Closeable) catalog).close();
    }
  }
}
