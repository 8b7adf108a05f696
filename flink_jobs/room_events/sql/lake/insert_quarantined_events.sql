-- A refused event or record, whole.
INSERT INTO lake.`$namespace`.quarantined_events
SELECT
  `quarantine_id`,
  `room_id`,
  `type`,
  `event_id`,
  `ordering_key`,
  `sequence`,
  `reason`,
  `path`,
  `message`,
  `body`,
  `body_encoding`,
  `body_bytes`,
  `shard_id`,
  `sequence_number`,
  `position`,
  `arrived_at`,
  `received_at`,
  `release`
FROM quarantined_events
