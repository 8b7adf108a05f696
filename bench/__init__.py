"""Side-by-side benchmarks: the same generated input through this pipeline and through what else could be used."""
