-- One document is: What is known of one execution so far; empty fields leave the document's as they are.
CREATE TEMPORARY TABLE executions_index (
  `execution_id` STRING,
  `room_id` STRING,
  `user_id` STRING,
  `session_id` STRING,
  `document_id` STRING,
  `language` STRING,
  `image` STRING,
  `worker_id` STRING,
  `status` STRING,
  `queued_at` TIMESTAMP_LTZ(3),
  `started_at` TIMESTAMP_LTZ(3),
  `finished_at` TIMESTAMP_LTZ(3),
  `exit_code` BIGINT,
  `cpu_ms` BIGINT,
  `wall_ms` BIGINT,
  `peak_memory_bytes` BIGINT,
  `output_chunks` BIGINT,
  `output_bytes` BIGINT,
  `received_at` TIMESTAMP_LTZ(3),
  PRIMARY KEY (execution_id) NOT ENFORCED
) WITH (
  'index' = '${index_prefix}executions-{received_at|yyyy.MM.dd}',
  $search_options
)
