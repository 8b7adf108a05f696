-- Events of the day's executions that are in execution_events more than once, by id or by place.
WITH concerned AS (
    SELECT DISTINCT execution_id
    FROM execution_events
    WHERE
        (received_at >= :day_start AND received_at < :settled_until)
        OR (type = 'execution.finished' AND occurred_at >= :day_start AND occurred_at < :day_end)
),

events AS (
    SELECT
        execution_events.execution_id,
        execution_events.event_id,
        execution_events.ordering_key,
        execution_events.sequence
    FROM execution_events
    INNER JOIN concerned ON execution_events.execution_id = concerned.execution_id
),

doubled AS (
    SELECT MIN(execution_id) AS execution_id
    FROM events
    GROUP BY event_id
    HAVING COUNT(*) > 1
    UNION ALL
    SELECT MIN(execution_id) AS execution_id
    FROM events
    GROUP BY ordering_key, sequence
    HAVING COUNT(*) > 1
)

SELECT DISTINCT execution_id
FROM doubled
ORDER BY execution_id
