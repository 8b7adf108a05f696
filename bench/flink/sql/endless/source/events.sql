-- The events, from a source that waits for more at its end.
CREATE TEMPORARY TABLE events WITH ('source.monitor-interval' = '1 h') LIKE files
