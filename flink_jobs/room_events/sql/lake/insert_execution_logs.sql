-- A chunk of a program's output.
INSERT INTO lake.`$namespace`.execution_logs
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
  `stream`,
  `chunk`,
  `text`
FROM execution_logs
