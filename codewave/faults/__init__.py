"""Deliberate faults of the real processes under load, each healed again, and the proof that they changed nothing."""
