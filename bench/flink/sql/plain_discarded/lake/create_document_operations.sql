-- An edit, its patches as JSON: SQL cannot turn arrays of mixed types into rows. Nothing is kept.
CREATE TABLE lake.`$namespace`.document_operations (
  `event_id` STRING,
  `type` STRING,
  `version` BIGINT,
  `room_id` STRING,
  `session_id` STRING,
  `user_id` STRING,
  `ordering_key` STRING,
  `sequence` BIGINT,
  `occurred_at` TIMESTAMP_LTZ(6),
  `received_at` TIMESTAMP_LTZ(6),
  `late` BOOLEAN,
  `clock_skew` BOOLEAN,
  `document_id` STRING,
  `base_sequence` BIGINT,
  `patches` STRING,
  `parents` STRING,
  `checksum` BIGINT
) WITH ('connector' = 'blackhole')
