-- A chat message.
INSERT INTO lake.`$namespace`.chat_messages
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
  `text`,
  `reply_to`
FROM chat_messages
