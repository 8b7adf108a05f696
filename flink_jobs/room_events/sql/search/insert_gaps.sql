-- A gap that was declared, or a late event that filled a part of one.
INSERT INTO gaps_index
SELECT
  `gap_id`,
  `room_id`,
  `ordering_key`,
  `first_sequence`,
  `last_sequence`,
  `status`,
  `cause`,
  `event_id`,
  `waited_ms`,
  CAST(`received_at` AS TIMESTAMP_LTZ(3)) AS `received_at`
FROM sequence_gaps
