-- Stored events and last sequence of every ordering key.
WITH events AS (
    SELECT
        ordering_key,
        sequence,
        event_id
    FROM document_operations
    UNION ALL
    SELECT
        ordering_key,
        sequence,
        event_id
    FROM presence_events
    UNION ALL
    SELECT
        ordering_key,
        sequence,
        event_id
    FROM chat_messages
    UNION ALL
    SELECT
        ordering_key,
        sequence,
        event_id
    FROM execution_events
    UNION ALL
    SELECT
        ordering_key,
        sequence,
        event_id
    FROM execution_logs
)

SELECT
    ordering_key,
    COUNT(DISTINCT event_id) AS events,
    MAX(sequence) AS last_sequence
FROM events
GROUP BY ordering_key
