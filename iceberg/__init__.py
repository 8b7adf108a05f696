"""The lake: one folder per table, what creates and evolves them, and the engine that queries them."""
