-- check: availability_is_a_share (block)
-- Good events are a part of those that were due.
SELECT
    hour,
    events_good,
    events_due,
    availability
FROM pipeline_reliability_hourly
WHERE events_good < 0 OR events_good > events_due OR availability < 0 OR availability > 1;

-- check: percentiles_in_order (block)
-- A higher percentile is not a shorter delay.
SELECT
    hour,
    delay_p50_ms,
    delay_p95_ms,
    delay_p99_ms,
    delay_max_ms
FROM pipeline_reliability_hourly
WHERE delay_p50_ms > delay_p95_ms OR delay_p95_ms > delay_p99_ms OR delay_p99_ms > delay_max_ms;

-- check: nothing_lost (warn)
-- Every number that a writer gave has come.
SELECT
    hour,
    lost
FROM pipeline_reliability_hourly
WHERE lost > 0;
