-- The events; the job ends with them.
CREATE TEMPORARY TABLE events LIKE files
