-- check: within_its_hour (block)
-- First and last event lie in the hour.
SELECT
    room_id,
    hour,
    first_at,
    last_at
FROM room_activity_hourly
WHERE first_at < :interval_start OR last_at >= :interval_end OR first_at > last_at;

-- check: more_users_than_sessions (warn)
-- A browser tab belongs to one user; more users than tabs says that sessions are shared.
SELECT
    room_id,
    users,
    sessions
FROM room_activity_hourly
WHERE users > sessions;
