-- A chunk of a program's output. Nothing is kept.
CREATE TABLE lake.`$namespace`.execution_logs (
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
  `execution_id` STRING,
  `stream` STRING,
  `chunk` BIGINT,
  `text` STRING
) WITH ('connector' = 'blackhole')
