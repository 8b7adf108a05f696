-- The live state of a room.
INSERT INTO rooms_index
SELECT
  `room_id`,
  CAST(`present` AS ARRAY<ROW<
    `session_id` STRING,
    `user_id` STRING,
    `document_id` STRING,
    `position` BIGINT,
    `last_seen_at` TIMESTAMP_LTZ(3)
  >>) AS `present`,
  `present_count`,
  `running_executions`,
  CAST(`last_activity_at` AS TIMESTAMP_LTZ(3)) AS `last_activity_at`,
  CAST(`updated_at` AS TIMESTAMP_LTZ(3)) AS `updated_at`,
  `lag_ms`
FROM rooms
