"""Modules of the local OpenSearch node: what their descriptors say, as they are in no Maven artifact."""

from pathlib import Path
from typing import Final

from msgspec import Struct


class Module(Struct, frozen=True):
    """A module of the node: its plugin class, what it extends and what it may do."""

    name: str
    plugin_class: str
    extends: str = ""
    permissions: tuple[str, ...] = ()


# Source: the build.gradle and plugin-security.policy of each module in OpenSearch 2.19.
MODULES: Final = (
    Module("analysis-common", "org.opensearch.analysis.common.CommonAnalysisPlugin", "lang-painless"),
    Module("mapper-extras", "org.opensearch.index.mapper.MapperExtrasPlugin"),
    Module("parent-join", "org.opensearch.join.ParentJoinPlugin"),
    Module("aggs-matrix-stats", "org.opensearch.search.aggregations.matrix.MatrixAggregationPlugin"),
    Module("rank-eval", "org.opensearch.index.rankeval.RankEvalPlugin"),
    Module("percolator", "org.opensearch.percolator.PercolatorPlugin"),
    Module("ingest-common", "org.opensearch.ingest.common.IngestCommonPlugin", "lang-painless"),
    Module(
        "reindex",
        "org.opensearch.index.reindex.ReindexPlugin",
        permissions=('java.net.SocketPermission "*", "connect"',),
    ),
    Module(
        "lang-painless",
        "org.opensearch.painless.PainlessPlugin",
        permissions=(
            'java.lang.RuntimePermission "createClassLoader"',
            'java.lang.RuntimePermission "getClassLoader"',
        ),
    ),
    Module("geo", "org.opensearch.geo.GeoModulePlugin"),
    Module(
        "lang-mustache",
        "org.opensearch.script.mustache.MustachePlugin",
        permissions=('java.lang.RuntimePermission "accessDeclaredMembers"',),
    ),
)


def write_descriptors(home: Path, version: str) -> None:
    """Write the descriptor and, where needed, the policy of every module under ``home``."""
    for module in MODULES:
        folder = home / "modules" / module.name
        (folder / "plugin-descriptor.properties").write_text(descriptor(module, version), encoding="ascii")
        if module.permissions:
            (folder / "plugin-security.policy").write_text(policy(module), encoding="ascii")


def descriptor(module: Module, version: str) -> str:
    """The module's ``plugin-descriptor.properties``."""
    fields = {
        "name": module.name,
        "description": module.name,
        "version": version,
        "opensearch.version": version,
        "java.version": "11",
        "classname": module.plugin_class,
        "custom.foldername": "",
        "extended.plugins": module.extends,
        "has.native.controller": "false",
    }
    return "".join(f"{name}={value}\n" for name, value in fields.items())


def policy(module: Module) -> str:
    """The module's ``plugin-security.policy``."""
    return "grant {\n" + "".join(f"  permission {permission};\n" for permission in module.permissions) + "};\n"
