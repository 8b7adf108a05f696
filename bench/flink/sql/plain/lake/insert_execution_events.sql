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
  CAST(TO_TIMESTAMP_LTZ(`occurred_at`, 3) AS TIMESTAMP_LTZ(6)) AS `occurred_at`,
  CAST(TO_TIMESTAMP_LTZ(`received_at`, 3) AS TIMESTAMP_LTZ(6)) AS `received_at`,
  FALSE AS `late`,
  ABS(`occurred_at` - `received_at`) > 600000 AS `clock_skew`,
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
FROM deduplicated
WHERE `type` IN ('execution.queued', 'execution.started', 'execution.finished')
