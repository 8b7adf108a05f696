-- Execution events of each type and hour: what the audit says and what the tables hold; only where they differ.
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
    WHERE t.type LIKE 'execution.%' AND t.hour >= :day_start AND t.hour < :settled_until
    GROUP BY t.type, t.hour
),

events AS (
    SELECT
        type,
        received_at
    FROM execution_events
    UNION ALL
    SELECT
        type,
        received_at
    FROM execution_logs
),

held AS (
    SELECT
        type,
        DATE_TRUNC('hour', received_at) AS hour,
        COUNT(*) AS rows_held
    FROM events
    WHERE received_at >= :day_start AND received_at < :settled_until
    GROUP BY type, DATE_TRUNC('hour', received_at)
),

refused AS (
    SELECT
        type,
        DATE_TRUNC('hour', received_at) AS hour,
        COUNT(*) AS rows_refused
    FROM quarantined_events
    WHERE type LIKE 'execution.%' AND received_at >= :day_start AND received_at < :settled_until
    GROUP BY type, DATE_TRUNC('hour', received_at)
),

counts AS (
    SELECT
        type,
        hour,
        COALESCE(received, 0) AS received,
        COALESCE(stored, 0) AS stored,
        COALESCE(duplicate, 0) AS duplicate,
        COALESCE(quarantined, 0) AS quarantined,
        COALESCE(pending, 0) AS pending,
        COALESCE(rows_held, 0) AS rows_held,
        COALESCE(rows_refused, 0) AS rows_refused
    FROM audited
    FULL JOIN held USING (type, hour)
    FULL JOIN refused USING (type, hour)
)

SELECT
    type,
    hour,
    received,
    stored,
    duplicate,
    quarantined,
    pending,
    rows_held,
    rows_refused
FROM counts
WHERE
    pending <> 0
    OR received <> stored + duplicate + quarantined + pending
    OR stored <> rows_held
    OR quarantined <> rows_refused
ORDER BY type, hour
