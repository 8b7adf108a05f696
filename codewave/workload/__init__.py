"""The workload: generated rooms and real editing traces, played with faults, and the truth about what was sent."""
