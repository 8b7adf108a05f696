-- Who is in the room, which document they show, where their cursor is. Nothing is kept.
CREATE TABLE lake.`$namespace`.presence_events (
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
  `position` BIGINT,
  `selection_start` BIGINT,
  `selection_end` BIGINT,
  `display_name` STRING,
  `detail` STRING,
  `base_sequence` BIGINT,
  `checksum` BIGINT
) WITH ('connector' = 'blackhole')
