"""The benchmark's Flink jobs; they run in the environment that has apache-flink, on the benchmark's own cluster."""
