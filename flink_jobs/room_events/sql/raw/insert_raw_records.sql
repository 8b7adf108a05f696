-- Every record as it came, straight from the source: no logic of ours can lose it.
INSERT INTO lake.`$namespace`.raw_records
SELECT
  shard_id,
  sequence_number,
  CAST(arrived_at AS TIMESTAMP_LTZ(6)) AS arrived_at,
  data
FROM archived
