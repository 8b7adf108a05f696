-- What each session did on one day, and how the executions that it asked for ended.
WITH patches AS (
    SELECT
        document_operations.session_id,
        document_operations.room_id,
        SUM(LENGTH(p.inserted)) AS inserted,
        SUM(p.deleted) AS deleted
    FROM document_operations
    CROSS JOIN UNNEST(document_operations.patches) AS p (position, deleted, inserted)
    WHERE document_operations.received_at >= :interval_start AND document_operations.received_at < :interval_end
    GROUP BY document_operations.session_id, document_operations.room_id
),

events AS (
    SELECT
        session_id,
        room_id,
        user_id,
        type,
        received_at,
        CAST(NULL AS VARCHAR) AS execution_id
    FROM document_operations
    WHERE received_at >= :interval_start AND received_at < :interval_end
    UNION ALL
    SELECT
        session_id,
        room_id,
        user_id,
        type,
        received_at,
        CAST(NULL AS VARCHAR) AS execution_id
    FROM presence_events
    WHERE received_at >= :interval_start AND received_at < :interval_end
    UNION ALL
    SELECT
        session_id,
        room_id,
        user_id,
        type,
        received_at,
        CAST(NULL AS VARCHAR) AS execution_id
    FROM chat_messages
    WHERE received_at >= :interval_start AND received_at < :interval_end
    UNION ALL
    -- The other events of an execution are written by its worker.
    SELECT
        session_id,
        room_id,
        user_id,
        type,
        received_at,
        execution_id
    FROM execution_events
    WHERE received_at >= :interval_start AND received_at < :interval_end AND type = 'execution.queued'
),

activity AS (
    SELECT
        session_id,
        room_id,
        MIN(user_id) AS user_id,
        MIN(received_at) AS first_at,
        MAX(received_at) AS last_at,
        COUNT(*) AS events,
        SUM(CASE WHEN type = 'document.edited' THEN 1 ELSE 0 END) AS edits,
        SUM(CASE WHEN type = 'chat.posted' THEN 1 ELSE 0 END) AS messages,
        COUNT(DISTINCT execution_id) AS executions_queued
    FROM events
    GROUP BY session_id, room_id
),

ended AS (
    SELECT
        session_id,
        room_id,
        MIN(user_id) AS user_id,
        SUM(counted) AS executions_ended,
        SUM(CASE WHEN outcome IN ('failed', 'timed_out', 'lost') THEN counted ELSE 0 END) AS errors,
        SUM(cpu_ms) AS cpu_ms
    FROM executions
    WHERE billing_day = CAST(:interval_start AS DATE) AND session_id IS NOT NULL
    GROUP BY session_id, room_id
)

SELECT
    COALESCE(activity.session_id, ended.session_id) AS session_id,
    COALESCE(activity.room_id, ended.room_id) AS room_id,
    CAST(:interval_start AS DATE) AS day,
    COALESCE(activity.user_id, ended.user_id) AS user_id,
    activity.first_at,
    activity.last_at,
    -- Seconds since 1970 with their fraction: DATE_DIFF counts whole units in one engine and boundaries in the other.
    CAST(
        COALESCE(
            ROUND(TO_UNIXTIME(activity.last_at) * 1000) - ROUND(TO_UNIXTIME(activity.first_at) * 1000), 0
        ) AS BIGINT
    ) AS length_ms,
    COALESCE(activity.events, 0) AS events,
    COALESCE(activity.edits, 0) AS edits,
    COALESCE(patches.inserted, 0) AS characters_inserted,
    COALESCE(patches.deleted, 0) AS characters_deleted,
    COALESCE(activity.messages, 0) AS messages,
    COALESCE(activity.executions_queued, 0) AS executions_queued,
    COALESCE(ended.executions_ended, 0) AS executions_ended,
    COALESCE(ended.errors, 0) AS errors,
    COALESCE(ended.cpu_ms, 0) AS cpu_ms
FROM activity
FULL JOIN ended ON activity.session_id = ended.session_id AND activity.room_id = ended.room_id
LEFT JOIN patches ON activity.session_id = patches.session_id AND activity.room_id = patches.room_id
