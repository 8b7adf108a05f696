-- The ledger of one day by user and room: each row credits what is known now and takes back what was booked before.
WITH ledger AS (
    SELECT
        room_id,
        user_id,
        booked_user_id,
        kind,
        counted,
        outcome,
        booked_outcome,
        cpu_ms,
        wall_ms,
        output_bytes,
        booked_cpu_ms,
        booked_wall_ms,
        booked_output_bytes
    FROM executions
    WHERE billing_day = CAST(:interval_start AS DATE)
),

entries AS (
    SELECT
        room_id,
        user_id,
        outcome,
        1 AS executions,
        CASE WHEN kind = 'adjustment' THEN 1 ELSE 0 END AS is_adjustment,
        CASE WHEN kind = 'adjustment' THEN 1 ELSE 0 END AS adjustments,
        booked_cpu_ms + cpu_ms AS cpu_ms,
        booked_wall_ms + wall_ms AS wall_ms,
        booked_output_bytes + output_bytes AS output_bytes
    FROM ledger
    UNION ALL
    SELECT
        room_id,
        booked_user_id AS user_id,
        booked_outcome AS outcome,
        -1 AS executions,
        1 AS is_adjustment,
        0 AS adjustments,
        -booked_cpu_ms AS cpu_ms,
        -booked_wall_ms AS wall_ms,
        -booked_output_bytes AS output_bytes
    FROM ledger
    WHERE counted = 0
)

SELECT
    CAST(:interval_start AS DATE) AS day,
    room_id,
    user_id,
    SUM(executions) AS executions,
    SUM(CASE WHEN outcome = 'succeeded' THEN executions ELSE 0 END) AS succeeded,
    SUM(CASE WHEN outcome = 'failed' THEN executions ELSE 0 END) AS failed,
    SUM(CASE WHEN outcome = 'timed_out' THEN executions ELSE 0 END) AS timed_out,
    SUM(CASE WHEN outcome = 'cancelled' THEN executions ELSE 0 END) AS cancelled,
    SUM(CASE WHEN outcome = 'lost' THEN executions ELSE 0 END) AS lost,
    SUM(cpu_ms) AS cpu_ms,
    SUM(wall_ms) AS wall_ms,
    SUM(output_bytes) AS output_bytes,
    SUM(adjustments) AS adjustments,
    SUM(is_adjustment * cpu_ms) AS adjustment_cpu_ms,
    SUM(is_adjustment * wall_ms) AS adjustment_wall_ms,
    SUM(is_adjustment * output_bytes) AS adjustment_output_bytes
FROM entries
GROUP BY room_id, user_id
