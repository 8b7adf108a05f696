-- One document is: A burst: one user's accepted operations on one document in one record.
CREATE TEMPORARY TABLE activity_index (
  `activity_id` STRING,
  `room_id` STRING,
  `document_id` STRING,
  `user_id` STRING,
  `session_id` STRING,
  `operations` BIGINT,
  `characters_inserted` BIGINT,
  `characters_deleted` BIGINT,
  `first_sequence` BIGINT,
  `last_sequence` BIGINT,
  `preview` STRING,
  `occurred_at` TIMESTAMP_LTZ(3),
  `received_at` TIMESTAMP_LTZ(3),
  PRIMARY KEY (activity_id) NOT ENFORCED
) WITH (
  'index' = '${index_prefix}activity-{received_at|yyyy.MM.dd}',
  $search_options
)
