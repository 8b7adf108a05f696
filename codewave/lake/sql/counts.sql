-- What the audit says and what the tables hold, by event type and hour.
WITH audited AS (
    SELECT
        t.type,
        t.hour,
        SUM(t.received) AS received,
        SUM(t.stored) + SUM(t.released) AS stored,
        SUM(t.duplicate) AS duplicate,
        SUM(t.quarantined) AS quarantined,
        SUM(t.pending) - SUM(t.released) AS pending
    FROM record_audit
    CROSS JOIN UNNEST(by_type) AS t (type, hour, received, stored, duplicate, quarantined, pending, released)
    WHERE t.hour >= TIMESTAMP '{since}'
    GROUP BY t.type, t.hour
),

events AS (
    SELECT
        type,
        received_at,
        event_id
    FROM document_operations
    UNION ALL
    SELECT
        type,
        received_at,
        event_id
    FROM presence_events
    UNION ALL
    SELECT
        type,
        received_at,
        event_id
    FROM chat_messages
    UNION ALL
    SELECT
        type,
        received_at,
        event_id
    FROM execution_events
    UNION ALL
    SELECT
        type,
        received_at,
        event_id
    FROM execution_logs
),

held AS (
    SELECT
        type,
        DATE_TRUNC('hour', received_at) AS hour,
        COUNT(*) AS rows_held,
        COUNT(DISTINCT event_id) AS events_held
    FROM events
    WHERE received_at >= TIMESTAMP '{since}'
    GROUP BY type, DATE_TRUNC('hour', received_at)
),

refused AS (
    SELECT
        COALESCE(type, 'unknown') AS type,
        DATE_TRUNC('hour', received_at) AS hour,
        COUNT(*) AS rows_refused
    FROM quarantined_events
    WHERE received_at >= TIMESTAMP '{since}'
    GROUP BY COALESCE(type, 'unknown'), DATE_TRUNC('hour', received_at)
)

SELECT
    type,
    hour,
    COALESCE(received, 0) AS received,
    COALESCE(stored, 0) AS stored,
    COALESCE(duplicate, 0) AS duplicate,
    COALESCE(quarantined, 0) AS quarantined,
    COALESCE(pending, 0) AS pending,
    COALESCE(rows_held, 0) AS rows_held,
    COALESCE(events_held, 0) AS events_held,
    COALESCE(rows_refused, 0) AS rows_refused
FROM audited
FULL JOIN held USING (type, hour)
FULL JOIN refused USING (type, hour)
ORDER BY type, hour
