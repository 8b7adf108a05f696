-- check: within_its_day (block)
-- First and last event lie in the day, in this order.
SELECT
    session_id,
    first_at,
    last_at,
    length_ms
FROM session_summary
WHERE first_at < :interval_start OR last_at >= :interval_end OR length_ms < 0;

-- check: errors_are_executions (block)
-- No more errors than executions that ended.
SELECT
    session_id,
    errors,
    executions_ended
FROM session_summary
WHERE errors > executions_ended;

-- check: one_user_a_session (warn)
-- Whose session it is is known.
SELECT
    session_id,
    room_id
FROM session_summary
WHERE user_id IS NULL;
