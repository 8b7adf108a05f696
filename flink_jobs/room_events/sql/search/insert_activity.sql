-- A burst: one user's accepted operations on one document in one record.
INSERT INTO activity_index
SELECT
  `activity_id`,
  `room_id`,
  `document_id`,
  `user_id`,
  `session_id`,
  `operations`,
  `characters_inserted`,
  `characters_deleted`,
  `first_sequence`,
  `last_sequence`,
  `preview`,
  CAST(`occurred_at` AS TIMESTAMP_LTZ(3)) AS `occurred_at`,
  CAST(`received_at` AS TIMESTAMP_LTZ(3)) AS `received_at`
FROM activity
