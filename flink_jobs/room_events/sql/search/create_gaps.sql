-- One document is: A gap that was declared, or a late event that filled a part of one.
CREATE TEMPORARY TABLE gaps_index (
  `gap_id` STRING,
  `room_id` STRING,
  `ordering_key` STRING,
  `first_sequence` BIGINT,
  `last_sequence` BIGINT,
  `status` STRING,
  `cause` STRING,
  `event_id` STRING,
  `waited_ms` BIGINT,
  `received_at` TIMESTAMP_LTZ(3),
  PRIMARY KEY (gap_id) NOT ENFORCED
) WITH (
  'index' = '${index_prefix}gaps-{received_at|yyyy.MM.dd}',
  $search_options
)
