"""What the DAGs share: their settings, the lake they work on, their defaults, and alerts."""
