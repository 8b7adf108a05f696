-- check: outcomes_add_up (block)
-- Every execution has one of the outcomes that are counted.
SELECT
    room_id,
    user_id,
    executions
FROM usage_daily
WHERE executions <> succeeded + failed + timed_out + cancelled + lost;

-- check: own_use_not_negative (block)
-- Only adjustments take something back.
SELECT
    room_id,
    user_id,
    cpu_ms,
    wall_ms
FROM usage_daily
WHERE
    cpu_ms < adjustment_cpu_ms
    OR wall_ms < adjustment_wall_ms
    OR output_bytes < adjustment_output_bytes;

-- check: user_known (warn)
-- Somebody pays for it; empty when the queued event has not come.
SELECT
    room_id,
    executions
FROM usage_daily
WHERE user_id IS NULL;
