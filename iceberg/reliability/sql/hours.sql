-- The hours of a time, each with what was due, what was good, and what went wrong.
SELECT
    hour,
    events_due,
    events_good,
    lost,
    delayed,
    failed,
    delay_p99_ms
FROM pipeline_reliability_hourly
WHERE hour >= :since AND hour < :until
ORDER BY hour
