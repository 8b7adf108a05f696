-- What the audit says and what the tables hold, by event type, in one hour.
WITH audited AS (
    SELECT
        t.type,
        SUM(t.received) AS received,
        SUM(t.stored) + SUM(t.released) AS stored,
        SUM(t.duplicate) AS duplicate,
        SUM(t.quarantined) AS quarantined,
        SUM(t.pending) - SUM(t.released) AS pending
    FROM record_audit
    CROSS JOIN
        UNNEST(record_audit.by_type)
            AS t (type, hour, received, stored, duplicate, quarantined, pending, released)
    WHERE
        t.hour = :interval_start
        -- A record comes after its events were received, and its received_at is believed up to a day before that: this
        -- leaves out partitions, never rows.
        AND record_audit.received_at >= :interval_start - INTERVAL '2' DAY
    GROUP BY t.type
),

events AS (
    SELECT
        type,
        event_id
    FROM document_operations
    WHERE received_at >= :interval_start AND received_at < :interval_end
    UNION ALL
    SELECT
        type,
        event_id
    FROM presence_events
    WHERE received_at >= :interval_start AND received_at < :interval_end
    UNION ALL
    SELECT
        type,
        event_id
    FROM chat_messages
    WHERE received_at >= :interval_start AND received_at < :interval_end
    UNION ALL
    SELECT
        type,
        event_id
    FROM execution_events
    WHERE received_at >= :interval_start AND received_at < :interval_end
    UNION ALL
    SELECT
        type,
        event_id
    FROM execution_logs
    WHERE received_at >= :interval_start AND received_at < :interval_end
),

held AS (
    SELECT
        type,
        COUNT(*) AS rows_held,
        COUNT(DISTINCT event_id) AS events_held
    FROM events
    GROUP BY type
),

refused AS (
    SELECT
        COALESCE(type, 'unknown') AS type,
        COUNT(*) AS rows_refused
    FROM quarantined_events
    WHERE received_at >= :interval_start AND received_at < :interval_end
    GROUP BY COALESCE(type, 'unknown')
),

accounts AS (
    SELECT
        COALESCE(audited.type, held.type, refused.type) AS type,
        COALESCE(audited.received, 0) AS received,
        COALESCE(audited.stored, 0) AS stored,
        COALESCE(audited.duplicate, 0) AS duplicate,
        COALESCE(audited.quarantined, 0) AS quarantined,
        COALESCE(audited.pending, 0) AS pending,
        COALESCE(held.rows_held, 0) AS rows_held,
        COALESCE(held.events_held, 0) AS events_held,
        COALESCE(refused.rows_refused, 0) AS rows_refused
    FROM audited
    FULL JOIN held ON audited.type = held.type
    FULL JOIN refused ON COALESCE(audited.type, held.type) = refused.type
)

SELECT
    type,
    :interval_start AS hour,
    received,
    stored,
    duplicate,
    quarantined,
    pending,
    rows_held,
    events_held,
    rows_refused,
    ABS(received - stored - duplicate - quarantined - pending)
    + ABS(stored - rows_held)
    + ABS(rows_held - events_held)
    + ABS(quarantined - rows_refused) AS difference
FROM accounts
