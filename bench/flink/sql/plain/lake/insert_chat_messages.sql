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
  CAST(TO_TIMESTAMP_LTZ(`occurred_at`, 3) AS TIMESTAMP_LTZ(6)) AS `occurred_at`,
  CAST(TO_TIMESTAMP_LTZ(`received_at`, 3) AS TIMESTAMP_LTZ(6)) AS `received_at`,
  FALSE AS `late`,
  ABS(`occurred_at` - `received_at`) > 600000 AS `clock_skew`,
  `text`,
  `reply_to`
FROM deduplicated
WHERE `type` = 'chat.posted'
