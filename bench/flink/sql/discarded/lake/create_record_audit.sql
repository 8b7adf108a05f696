-- What became of one record, or what a timer released (then ``cause`` is ``timer``). Nothing is kept.
CREATE TABLE lake.`$namespace`.record_audit (
  `cause` STRING,
  `room_id` STRING,
  `shard_id` STRING,
  `sequence_number` STRING,
  `arrived_at` TIMESTAMP_LTZ(6),
  `received_at` TIMESTAMP_LTZ(6),
  `processed_at` TIMESTAMP_LTZ(6),
  `collector` STRING,
  `batch` BIGINT,
  `bytes` BIGINT,
  `received` BIGINT,
  `stored` BIGINT,
  `duplicate` BIGINT,
  `quarantined` BIGINT,
  `pending` BIGINT,
  `released` BIGINT,
  `late` BIGINT,
  `by_type` ARRAY<ROW<
    `type` STRING,
    `hour` TIMESTAMP_LTZ(6),
    `received` BIGINT,
    `stored` BIGINT,
    `duplicate` BIGINT,
    `quarantined` BIGINT,
    `pending` BIGINT,
    `released` BIGINT
  >>,
  `send_delay_ms` BIGINT,
  `process_delay_ms` BIGINT
) WITH ('connector' = 'blackhole')
