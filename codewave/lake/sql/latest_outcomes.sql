-- One row per execution: the latest revision of its outcome.
WITH ranked AS (
    SELECT
        execution_id,
        outcome,
        cpu_ms,
        wall_ms,
        COALESCE(decided_by, 'event') AS decided_by,
        ROW_NUMBER() OVER (PARTITION BY execution_id ORDER BY revision DESC) AS place
    FROM execution_outcomes
)

SELECT
    execution_id,
    outcome,
    decided_by,
    cpu_ms,
    wall_ms
FROM ranked
WHERE place = 1
