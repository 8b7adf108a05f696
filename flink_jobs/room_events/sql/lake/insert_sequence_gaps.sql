-- A gap that was declared, or a late event that filled a part of one.
INSERT INTO lake.`$namespace`.sequence_gaps
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
  `received_at`
FROM sequence_gaps
