-- A chat message. Nothing is kept.
CREATE TABLE lake.`$namespace`.chat_messages (
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
  `text` STRING,
  `reply_to` STRING
) WITH ('connector' = 'blackhole')
