-- Executions of the day whose outcome is not what their events say, with the reason.
WITH ranked_finished AS (
    SELECT
        execution_id,
        event_id,
        outcome,
        cpu_ms,
        wall_ms,
        occurred_at,
        ROW_NUMBER() OVER (PARTITION BY execution_id ORDER BY sequence DESC, ordering_key DESC) AS place
    FROM execution_events
    WHERE type = 'execution.finished'
),

ranked_outcomes AS (
    SELECT
        execution_id,
        event_id,
        outcome,
        cpu_ms,
        wall_ms,
        output_chunks,
        finished_at,
        COALESCE(decided_by, 'event') AS decided_by,
        ROW_NUMBER() OVER (PARTITION BY execution_id ORDER BY revision DESC) AS place
    FROM execution_outcomes
),

finished AS (
    SELECT
        execution_id,
        event_id,
        outcome,
        cpu_ms,
        wall_ms
    FROM ranked_finished
    WHERE place = 1
),

latest AS (
    SELECT
        execution_id,
        event_id,
        outcome,
        cpu_ms,
        wall_ms,
        output_chunks,
        decided_by
    FROM ranked_outcomes
    WHERE place = 1
),

concerned AS (
    SELECT execution_id
    FROM ranked_finished
    WHERE occurred_at >= :day_start AND occurred_at < :day_end
    UNION DISTINCT
    SELECT execution_id
    FROM ranked_outcomes
    WHERE finished_at >= :day_start AND finished_at < :day_end
),

revisions AS (
    SELECT
        execution_outcomes.execution_id,
        COUNT(*) AS rows_held,
        COUNT(DISTINCT execution_outcomes.revision) AS numbers,
        MIN(execution_outcomes.revision) AS first_revision,
        MAX(execution_outcomes.revision) AS last_revision
    FROM execution_outcomes
    INNER JOIN concerned ON execution_outcomes.execution_id = concerned.execution_id
    GROUP BY execution_outcomes.execution_id
),

logs AS (
    SELECT
        execution_logs.execution_id,
        COUNT(*) AS output_chunks
    FROM execution_logs
    INNER JOIN concerned ON execution_logs.execution_id = concerned.execution_id
    GROUP BY execution_logs.execution_id
),

verdicts AS (
    SELECT
        concerned.execution_id,
        CASE
            WHEN
                finished.execution_id IS NOT NULL
                AND (latest.execution_id IS NULL OR latest.decided_by <> 'event')
                THEN 'outcome_missing'
            WHEN finished.execution_id IS NULL AND latest.decided_by = 'event' THEN 'outcome_without_event'
            WHEN
                latest.decided_by = 'event'
                AND (
                    latest.event_id <> finished.event_id OR latest.outcome <> finished.outcome
                    OR latest.cpu_ms <> finished.cpu_ms OR latest.wall_ms <> finished.wall_ms
                )
                THEN 'outcome_differs'
            WHEN
                revisions.rows_held <> revisions.numbers
                OR revisions.first_revision <> 1 OR revisions.last_revision <> revisions.numbers
                THEN 'revisions_broken'
            WHEN latest.decided_by = 'event' AND latest.output_chunks <> COALESCE(logs.output_chunks, 0)
                THEN 'output_differs'
        END AS reason
    FROM concerned
    LEFT JOIN finished ON concerned.execution_id = finished.execution_id
    LEFT JOIN latest ON concerned.execution_id = latest.execution_id
    LEFT JOIN revisions ON concerned.execution_id = revisions.execution_id
    LEFT JOIN logs ON concerned.execution_id = logs.execution_id
)

SELECT
    reason,
    execution_id
FROM verdicts
WHERE reason IS NOT NULL
ORDER BY reason, execution_id
