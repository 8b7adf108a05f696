-- Who is in the room, which document they show, where their cursor is.
INSERT INTO lake.`$namespace`.presence_events
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
  `position`,
  `selection_start`,
  `selection_end`,
  `display_name`,
  `detail`,
  `base_sequence`,
  `checksum`
FROM presence_events
