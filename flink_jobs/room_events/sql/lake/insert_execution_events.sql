-- A lifecycle event of an execution: queued, started or finished.
INSERT INTO lake.`$namespace`.execution_events
SELECT
  `event_id`,
  `type`,
  `version`,
  `room_id`,
  `session_id`,
  `user_id`,
  `ordering_key`,
  `sequence`,
  `occurred_at`,
  `received_at`,
  `late`,
  `clock_skew`,
  `execution_id`,
  `document_id`,
  `language`,
  `image`,
  `worker_id`,
  `outcome`,
  `exit_code`,
  `cpu_ms`,
  `wall_ms`,
  `peak_memory_bytes`
FROM execution_events
