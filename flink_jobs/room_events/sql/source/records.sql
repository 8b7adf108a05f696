-- The stream: one row per Kinesis record, undecoded.
CREATE TEMPORARY TABLE records (
  data BYTES,
  shard_id STRING NOT NULL METADATA FROM 'shard-id' VIRTUAL,
  sequence_number STRING NOT NULL METADATA FROM 'sequence-number' VIRTUAL,
  arrived_at TIMESTAMP_LTZ(3) NOT NULL METADATA FROM 'timestamp' VIRTUAL
) WITH (
  'connector' = 'kinesis',
  'format' = 'raw',
  $stream_options
)
