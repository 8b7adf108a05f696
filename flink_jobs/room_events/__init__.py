"""The job that turns the rooms' events into tables and indices."""
