"""The local stack: the stream emulator, the catalog, OpenSearch and the Flink cluster as processes on loopback."""
