-- In the stream's place: its records from a table, in the order in which they came.
CREATE TEMPORARY VIEW records AS
SELECT
  data,
  shard_id,
  sequence_number,
  CAST(arrived_at AS TIMESTAMP_LTZ(3)) AS arrived_at
FROM recorded.streams.`$stream_name`
