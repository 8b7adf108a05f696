"""Data quality: suites of expectations run as gates, their results as tables, and profiles that show drift."""
