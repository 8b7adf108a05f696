-- A refused event or record, whole. Nothing is kept.
CREATE TABLE lake.`$namespace`.quarantined_events (
  `quarantine_id` STRING,
  `room_id` STRING,
  `type` STRING,
  `event_id` STRING,
  `ordering_key` STRING,
  `sequence` BIGINT,
  `reason` STRING,
  `path` STRING,
  `message` STRING,
  `body` STRING,
  `body_encoding` STRING,
  `body_bytes` BIGINT,
  `shard_id` STRING,
  `sequence_number` STRING,
  `position` BIGINT,
  `arrived_at` TIMESTAMP_LTZ(6),
  `received_at` TIMESTAMP_LTZ(6),
  `release` STRING
) WITH ('connector' = 'blackhole')
