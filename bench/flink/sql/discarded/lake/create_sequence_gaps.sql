-- A gap that was declared, or a late event that filled a part of one. Nothing is kept.
CREATE TABLE lake.`$namespace`.sequence_gaps (
  `gap_id` STRING,
  `room_id` STRING,
  `ordering_key` STRING,
  `first_sequence` BIGINT,
  `last_sequence` BIGINT,
  `status` STRING,
  `cause` STRING,
  `event_id` STRING,
  `waited_ms` BIGINT,
  `received_at` TIMESTAMP_LTZ(6)
) WITH ('connector' = 'blackhole')
