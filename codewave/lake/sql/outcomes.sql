-- What execution_outcomes holds against the accepted finished events, execution by execution, summed up.
WITH revisions AS (
    SELECT
        execution_id,
        COUNT(*) AS rows_held,
        COUNT(DISTINCT revision) AS numbers,
        MIN(revision) AS first_revision,
        MAX(revision) AS last_revision,
        SUM(CASE WHEN COALESCE(decided_by, 'event') = 'event' THEN 1 ELSE 0 END) AS rows_told,
        MAX(received_at) AS received_at
    FROM execution_outcomes
    GROUP BY execution_id
),

ranked_outcomes AS (
    SELECT
        execution_id,
        outcome,
        cpu_ms,
        wall_ms,
        event_id,
        received_at,
        COALESCE(decided_by, 'event') AS decided_by,
        ROW_NUMBER() OVER (PARTITION BY execution_id ORDER BY revision DESC) AS place
    FROM execution_outcomes
),

ranked_finished AS (
    SELECT
        execution_id,
        outcome,
        cpu_ms,
        wall_ms,
        event_id,
        received_at,
        ROW_NUMBER() OVER (PARTITION BY execution_id ORDER BY sequence DESC, ordering_key DESC) AS place
    FROM execution_events
    WHERE type = 'execution.finished'
),

latest AS (
    SELECT
        execution_id,
        outcome,
        cpu_ms,
        wall_ms,
        event_id,
        received_at,
        decided_by
    FROM ranked_outcomes
    WHERE place = 1
),

finished AS (
    SELECT
        execution_id,
        outcome,
        cpu_ms,
        wall_ms,
        event_id,
        received_at
    FROM ranked_finished
    WHERE place = 1
),

-- Events are kept for a shorter time than outcomes: older ones cannot be compared.
oldest AS (
    SELECT MIN(received_at) AS received_at
    FROM execution_events
),

executions AS (
    SELECT
        COALESCE(revisions.execution_id, finished.execution_id) AS execution_id,
        COALESCE(revisions.rows_held, 0) AS rows_held,
        COALESCE(revisions.rows_held - revisions.numbers, 0) AS doubled,
        CASE
            WHEN revisions.first_revision <> 1 OR revisions.last_revision <> revisions.numbers THEN 1
            ELSE 0
        END AS broken,
        CASE
            WHEN finished.execution_id IS NOT NULL AND COALESCE(revisions.rows_told, 0) = 0 THEN 1
            ELSE 0
        END AS without_outcome,
        CASE
            WHEN
                finished.execution_id IS NULL
                AND latest.decided_by = 'event' AND latest.received_at >= oldest.received_at
                THEN 1
            WHEN
                revisions.rows_told > 0 AND finished.execution_id IS NOT NULL
                AND (
                    latest.event_id <> finished.event_id OR latest.outcome <> finished.outcome
                    OR latest.cpu_ms <> finished.cpu_ms OR latest.wall_ms <> finished.wall_ms
                )
                THEN 1
            ELSE 0
        END AS differing,
        CASE WHEN latest.decided_by <> 'event' THEN 1 ELSE 0 END AS lost
    FROM revisions
    FULL JOIN finished ON revisions.execution_id = finished.execution_id
    LEFT JOIN latest ON revisions.execution_id = latest.execution_id
    CROSS JOIN oldest
    WHERE revisions.received_at >= TIMESTAMP '{since}' OR finished.received_at >= TIMESTAMP '{since}'
)

SELECT
    COALESCE(SUM(rows_held), 0) AS rows_held,
    COALESCE(SUM(CASE WHEN rows_held > 0 THEN 1 ELSE 0 END), 0) AS executions,
    COALESCE(SUM(lost), 0) AS lost,
    COALESCE(SUM(doubled), 0) AS doubled,
    COALESCE(SUM(broken), 0) AS broken,
    COALESCE(SUM(without_outcome), 0) AS without_outcome,
    COALESCE(SUM(differing), 0) AS differing,
    MIN(CASE WHEN doubled > 0 THEN execution_id END) AS first_doubled,
    MIN(CASE WHEN broken > 0 THEN execution_id END) AS first_broken,
    MIN(CASE WHEN without_outcome > 0 THEN execution_id END) AS first_without_outcome,
    MIN(CASE WHEN differing > 0 THEN execution_id END) AS first_differing
FROM executions
