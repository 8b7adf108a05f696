-- What one event says of its execution; empty fields leave the document's as they are. Output is not counted.
INSERT INTO executions_index
SELECT
  `execution_id`,
  `room_id`,
  CASE WHEN `type` = 'execution.queued' THEN `user_id` END AS `user_id`,
  CASE WHEN `type` = 'execution.queued' THEN `session_id` END AS `session_id`,
  `document_id`,
  `language`,
  `image`,
  `worker_id`,
  COALESCE(`outcome`, REPLACE(`type`, 'execution.', '')) AS `status`,
  CASE WHEN `type` = 'execution.queued' THEN TO_TIMESTAMP_LTZ(`occurred_at`, 3) END AS `queued_at`,
  CASE WHEN `type` = 'execution.started' THEN TO_TIMESTAMP_LTZ(`occurred_at`, 3) END AS `started_at`,
  CASE WHEN `type` = 'execution.finished' THEN TO_TIMESTAMP_LTZ(`occurred_at`, 3) END AS `finished_at`,
  `exit_code`,
  `cpu_ms`,
  `wall_ms`,
  `peak_memory_bytes`,
  CAST(NULL AS BIGINT) AS `output_chunks`,
  CAST(NULL AS BIGINT) AS `output_bytes`,
  TO_TIMESTAMP_LTZ(`received_at`, 3) AS `received_at`
FROM deduplicated
WHERE `type` IN ('execution.queued', 'execution.started', 'execution.finished')
