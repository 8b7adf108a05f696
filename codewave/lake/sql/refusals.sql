-- Refused events by reason.
SELECT
    reason,
    COUNT(*) AS refused
FROM quarantined_events
WHERE received_at >= TIMESTAMP '{since}'
GROUP BY reason
ORDER BY reason
