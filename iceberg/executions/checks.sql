-- check: execution_once_a_day (block)
-- An execution is billed at most once on one day.
SELECT
    execution_id,
    COUNT(*) AS ledger_rows
FROM executions
GROUP BY execution_id
HAVING COUNT(*) > 1;

-- check: known_kind (block)
-- A row is an execution with its own quantities, or an adjustment of a sealed day.
SELECT
    execution_id,
    kind,
    adjusts
FROM executions
WHERE
    kind NOT IN ('execution', 'adjustment')
    OR (kind = 'execution' AND (adjusts IS NOT NULL OR counted <> 1))
    OR (kind = 'adjustment' AND (adjusts IS NULL OR adjusts >= billing_day));

-- check: quantities_of_executions_not_negative (block)
-- Only an adjustment may take something back, and never more than was booked.
SELECT
    execution_id,
    cpu_ms,
    wall_ms,
    output_bytes
FROM executions
WHERE
    cpu_ms + booked_cpu_ms < 0
    OR wall_ms + booked_wall_ms < 0
    OR output_bytes + booked_output_bytes < 0;

-- check: known_outcome (block)
-- The outcome is one that usage counts.
SELECT
    execution_id,
    outcome
FROM executions
WHERE outcome NOT IN ('succeeded', 'failed', 'timed_out', 'cancelled', 'lost');

-- check: user_known (warn)
-- Somebody pays for it; empty when the queued event has not come.
SELECT
    execution_id,
    room_id
FROM executions
WHERE user_id IS NULL;
