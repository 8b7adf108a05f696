-- One document is: A chunk of a program's output.
CREATE TEMPORARY TABLE execution_logs_index (
  `event_id` STRING,
  `type` STRING,
  `version` BIGINT,
  `room_id` STRING,
  `session_id` STRING,
  `user_id` STRING,
  `ordering_key` STRING,
  `sequence` BIGINT,
  `occurred_at` TIMESTAMP_LTZ(3),
  `received_at` TIMESTAMP_LTZ(3),
  `late` BOOLEAN,
  `clock_skew` BOOLEAN,
  `execution_id` STRING,
  `stream` STRING,
  `chunk` BIGINT,
  `text` STRING,
  PRIMARY KEY (event_id) NOT ENFORCED
) WITH (
  'index' = '${index_prefix}execution-logs-{received_at|yyyy.MM.dd}',
  $search_options
)
