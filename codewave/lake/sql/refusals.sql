-- Refused events by reason, and how many of them had been refused before: their record arrived twice.
SELECT
    reason,
    COUNT(*) AS refused,
    COUNT(*) - COUNT(DISTINCT body) AS again
FROM quarantined_events
WHERE received_at >= TIMESTAMP '{since}'
GROUP BY reason
ORDER BY reason
