-- Executions of which an event was accepted, by when the first one was received.
WITH events AS (
    SELECT
        execution_id,
        received_at
    FROM execution_events
    UNION ALL
    SELECT
        execution_id,
        received_at
    FROM execution_logs
),

firsts AS (
    SELECT
        execution_id,
        MIN(received_at) AS received_at
    FROM events
    GROUP BY execution_id
)

SELECT COUNT(*) AS executions
FROM firsts
WHERE received_at >= TIMESTAMP '{since}'
