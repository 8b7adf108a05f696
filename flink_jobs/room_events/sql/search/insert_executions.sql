-- What is known of one execution so far; empty fields leave the document's as they are.
INSERT INTO executions_index
SELECT
  `execution_id`,
  `room_id`,
  `user_id`,
  `session_id`,
  `document_id`,
  `language`,
  `image`,
  `worker_id`,
  `status`,
  CAST(`queued_at` AS TIMESTAMP_LTZ(3)) AS `queued_at`,
  CAST(`started_at` AS TIMESTAMP_LTZ(3)) AS `started_at`,
  CAST(`finished_at` AS TIMESTAMP_LTZ(3)) AS `finished_at`,
  `exit_code`,
  `cpu_ms`,
  `wall_ms`,
  `peak_memory_bytes`,
  `output_chunks`,
  `output_bytes`,
  CAST(`received_at` AS TIMESTAMP_LTZ(3)) AS `received_at`
FROM executions
