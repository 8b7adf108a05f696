"""The pipeline's Flink jobs, one folder each."""
