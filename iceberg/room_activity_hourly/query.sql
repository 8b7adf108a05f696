-- What happened in each room in one hour.
WITH patches AS (
    SELECT
        document_operations.room_id,
        SUM(LENGTH(p.inserted)) AS inserted,
        SUM(p.deleted) AS deleted
    FROM document_operations
    CROSS JOIN UNNEST(document_operations.patches) AS p (position, deleted, inserted)
    WHERE document_operations.received_at >= :interval_start AND document_operations.received_at < :interval_end
    GROUP BY document_operations.room_id
),

-- Events of workers belong to the room, not to a tab.
events AS (
    SELECT
        room_id,
        type,
        received_at,
        late,
        user_id,
        session_id,
        document_id,
        CAST(NULL AS VARCHAR) AS execution_id,
        CAST(NULL AS VARCHAR) AS outcome
    FROM document_operations
    WHERE received_at >= :interval_start AND received_at < :interval_end
    UNION ALL
    SELECT
        room_id,
        type,
        received_at,
        late,
        user_id,
        session_id,
        CAST(NULL AS VARCHAR) AS document_id,
        CAST(NULL AS VARCHAR) AS execution_id,
        CAST(NULL AS VARCHAR) AS outcome
    FROM presence_events
    WHERE received_at >= :interval_start AND received_at < :interval_end
    UNION ALL
    SELECT
        room_id,
        type,
        received_at,
        late,
        user_id,
        session_id,
        CAST(NULL AS VARCHAR) AS document_id,
        CAST(NULL AS VARCHAR) AS execution_id,
        CAST(NULL AS VARCHAR) AS outcome
    FROM chat_messages
    WHERE received_at >= :interval_start AND received_at < :interval_end
    UNION ALL
    SELECT
        room_id,
        type,
        received_at,
        late,
        CASE WHEN type = 'execution.queued' THEN user_id END AS user_id,
        CASE WHEN type = 'execution.queued' THEN session_id END AS session_id,
        CAST(NULL AS VARCHAR) AS document_id,
        execution_id,
        outcome
    FROM execution_events
    WHERE received_at >= :interval_start AND received_at < :interval_end
),

activity AS (
    SELECT
        room_id,
        COUNT(DISTINCT user_id) AS users,
        COUNT(DISTINCT session_id) AS sessions,
        SUM(CASE WHEN type = 'presence.joined' THEN 1 ELSE 0 END) AS joins,
        COUNT(DISTINCT document_id) AS documents_edited,
        SUM(CASE WHEN type = 'document.edited' THEN 1 ELSE 0 END) AS edits,
        SUM(CASE WHEN type = 'cursor.moved' THEN 1 ELSE 0 END) AS cursor_moves,
        SUM(CASE WHEN type = 'chat.posted' THEN 1 ELSE 0 END) AS messages,
        COUNT(DISTINCT CASE WHEN type = 'execution.queued' THEN execution_id END) AS executions_queued,
        COUNT(DISTINCT CASE WHEN type = 'execution.finished' THEN execution_id END) AS executions_finished,
        COUNT(
            DISTINCT CASE
                WHEN type = 'execution.finished' AND outcome IN ('failed', 'timed_out', 'lost') THEN execution_id
            END
        ) AS executions_not_succeeded,
        SUM(CASE WHEN late THEN 1 ELSE 0 END) AS late_events,
        MIN(received_at) AS first_at,
        MAX(received_at) AS last_at
    FROM events
    GROUP BY room_id
)

SELECT
    activity.room_id,
    :interval_start AS hour,
    activity.users,
    activity.sessions,
    activity.joins,
    activity.documents_edited,
    activity.edits,
    COALESCE(patches.inserted, 0) AS characters_inserted,
    COALESCE(patches.deleted, 0) AS characters_deleted,
    activity.cursor_moves,
    activity.messages,
    activity.executions_queued,
    activity.executions_finished,
    activity.executions_not_succeeded,
    activity.late_events,
    activity.first_at,
    activity.last_at
FROM activity
LEFT JOIN patches ON activity.room_id = patches.room_id
