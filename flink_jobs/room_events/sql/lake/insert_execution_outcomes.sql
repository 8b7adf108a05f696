-- The stream's verdict on one execution.
INSERT INTO lake.`$namespace`.execution_outcomes
SELECT
  `execution_id`,
  `revision`,
  `room_id`,
  `user_id`,
  `session_id`,
  `document_id`,
  `language`,
  `image`,
  `worker_id`,
  `queued_at`,
  `started_at`,
  `finished_at`,
  `received_at`,
  `outcome`,
  `exit_code`,
  `cpu_ms`,
  `wall_ms`,
  `peak_memory_bytes`,
  `output_chunks`,
  `output_bytes`,
  `event_id`,
  `decided_by`
FROM execution_outcomes
