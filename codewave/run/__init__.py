"""A run from sending to proof: waiting until everything is stored, and the report on it."""
