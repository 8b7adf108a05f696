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
  CAST(TO_TIMESTAMP_LTZ(`occurred_at`, 3) AS TIMESTAMP_LTZ(6)) AS `occurred_at`,
  CAST(TO_TIMESTAMP_LTZ(`received_at`, 3) AS TIMESTAMP_LTZ(6)) AS `received_at`,
  FALSE AS `late`,
  ABS(`occurred_at` - `received_at`) > 600000 AS `clock_skew`,
  `document_id`,
  `position`,
  `selection_start`,
  `selection_end`,
  `display_name`,
  `detail`,
  `base_sequence`,
  `checksum`
FROM deduplicated
WHERE `type` IN (
  'cursor.moved',
  'document.opened',
  'document.closed',
  'document.snapshotted',
  'presence.joined',
  'presence.left',
  'presence.heartbeat'
)
