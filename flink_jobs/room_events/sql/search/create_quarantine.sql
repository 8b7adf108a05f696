-- One document is: A refused event or record.
-- Of its body the first 65,536 characters, as OpenSearch takes no request of any size; the lake has all of it.
CREATE TEMPORARY TABLE quarantine_index (
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
  `arrived_at` TIMESTAMP_LTZ(3),
  `received_at` TIMESTAMP_LTZ(3),
  `release` STRING,
  PRIMARY KEY (quarantine_id) NOT ENFORCED
) WITH (
  'index' = '${index_prefix}quarantine-{received_at|yyyy.MM.dd}',
  $search_options
)
