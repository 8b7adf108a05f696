"""Reliability: how available the pipeline was against its objective, and what is left of the error budget."""
