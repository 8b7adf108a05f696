-- One document is: The live state of a room.
CREATE TEMPORARY TABLE rooms_index (
  `room_id` STRING,
  `present` ARRAY<ROW<
    `session_id` STRING,
    `user_id` STRING,
    `document_id` STRING,
    `position` BIGINT,
    `last_seen_at` TIMESTAMP_LTZ(3)
  >>,
  `present_count` BIGINT,
  `running_executions` ARRAY<STRING>,
  `last_activity_at` TIMESTAMP_LTZ(3),
  `updated_at` TIMESTAMP_LTZ(3),
  `lag_ms` BIGINT,
  PRIMARY KEY (room_id) NOT ENFORCED
) WITH (
  'index' = '${index_prefix}rooms',
  $search_options
)
