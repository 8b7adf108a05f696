-- Executions that the ledger has twice on the day, or that it counts for the first time on the day and on another one.
WITH days_rows AS (
    SELECT
        execution_id,
        COUNT(*) AS rows_held,
        SUM(counted) AS counted
    FROM executions
    WHERE billing_day = :day
    GROUP BY execution_id
),

other_days AS (
    SELECT
        executions.execution_id,
        SUM(executions.counted) AS counted
    FROM executions
    INNER JOIN days_rows ON executions.execution_id = days_rows.execution_id
    WHERE executions.billing_day <> :day
    GROUP BY executions.execution_id
)

SELECT days_rows.execution_id
FROM days_rows
LEFT JOIN other_days ON days_rows.execution_id = other_days.execution_id
WHERE
    days_rows.rows_held > 1
    OR days_rows.counted > 1
    OR (days_rows.counted = 1 AND other_days.counted > 0)
ORDER BY days_rows.execution_id
