-- What became of one record, or what a timer released (then ``cause`` is ``timer``).
INSERT INTO lake.`$namespace`.record_audit
SELECT
  `cause`,
  `room_id`,
  `shard_id`,
  `sequence_number`,
  `arrived_at`,
  `received_at`,
  `processed_at`,
  `collector`,
  `batch`,
  `bytes`,
  `received`,
  `stored`,
  `duplicate`,
  `quarantined`,
  `pending`,
  `released`,
  `late`,
  `by_type`,
  `send_delay_ms`,
  `process_delay_ms`
FROM record_audit
