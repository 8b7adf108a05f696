-- A refused event or record: its first 65,536 characters, as OpenSearch takes no request of any size; the lake has all.
INSERT INTO quarantine_index
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
  LEFT(`body`, 65536) AS `body`,
  `body_encoding`,
  `body_bytes`,
  `shard_id`,
  `sequence_number`,
  `position`,
  CAST(`arrived_at` AS TIMESTAMP_LTZ(3)) AS `arrived_at`,
  CAST(`received_at` AS TIMESTAMP_LTZ(3)) AS `received_at`,
  `release`
FROM quarantined_events
