-- One document is: A chat message.
CREATE TEMPORARY TABLE chat_index (
  `event_id` STRING,
  `type` STRING,
  `version` BIGINT,
  `room_id` STRING,
  `session_id` STRING,
  `user_id` STRING,
  `ordering_key` STRING,
  `sequence` BIGINT,
  `occurred_at` TIMESTAMP_LTZ(3),
  `received_at` TIMESTAMP_LTZ(3),
  `late` BOOLEAN,
  `clock_skew` BOOLEAN,
  `text` STRING,
  `reply_to` STRING,
  PRIMARY KEY (event_id) NOT ENFORCED
) WITH (
  'index' = '${index_prefix}chat-{received_at|yyyy.MM.dd}',
  $search_options
)
