-- A chat message.
INSERT INTO chat_index
SELECT
  `event_id`,
  `type`,
  `version`,
  `room_id`,
  `session_id`,
  `user_id`,
  `ordering_key`,
  `sequence`,
  CAST(`occurred_at` AS TIMESTAMP_LTZ(3)) AS `occurred_at`,
  CAST(`received_at` AS TIMESTAMP_LTZ(3)) AS `received_at`,
  `late`,
  `clock_skew`,
  `text`,
  `reply_to`
FROM chat_messages
