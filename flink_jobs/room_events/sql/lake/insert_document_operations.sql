-- An accepted edit.
INSERT INTO lake.`$namespace`.document_operations
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
  `document_id`,
  `base_sequence`,
  `patches`,
  `parents`,
  `checksum`
FROM document_operations
