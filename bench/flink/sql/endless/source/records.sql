-- As the recorded stream, from a source that waits for more at its end.
CREATE TEMPORARY VIEW records AS
SELECT
  data,
  shard_id,
  sequence_number,
  CAST(arrived_at AS TIMESTAMP_LTZ(3)) AS arrived_at
FROM recorded.streams.`$stream_name`
/*+ OPTIONS('streaming' = 'true', 'starting-strategy' = 'TABLE_SCAN_THEN_INCREMENTAL', 'monitor-interval' = '1 h') */
