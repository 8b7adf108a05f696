-- Delays, losses, refusals and availability of one hour.
WITH records AS (
    SELECT
        cause,
        bytes,
        received,
        stored,
        released,
        duplicate,
        quarantined,
        late,
        COALESCE(send_delay_ms, 0) + process_delay_ms AS delay_ms
    FROM record_audit
    WHERE received_at >= :interval_start AND received_at < :interval_end
),

totals AS (
    SELECT
        COALESCE(SUM(CASE WHEN cause = 'record' THEN 1 ELSE 0 END), 0) AS records,
        COALESCE(SUM(bytes), 0) AS bytes,
        COALESCE(SUM(received), 0) AS received,
        COALESCE(SUM(stored) + SUM(released), 0) AS stored,
        COALESCE(SUM(duplicate), 0) AS duplicate,
        COALESCE(SUM(quarantined), 0) AS quarantined,
        COALESCE(SUM(late), 0) AS late,
        -- The promise: handled within 2,000 ms of being sent.
        COALESCE(SUM(CASE WHEN delay_ms > 2000 THEN received ELSE 0 END), 0) AS delayed
    FROM records
),

delays AS (
    SELECT
        delay_ms,
        SUM(received) AS events
    FROM records
    WHERE received > 0
    GROUP BY delay_ms
),

ranked_delays AS (
    SELECT
        delay_ms,
        SUM(events) OVER (ORDER BY delay_ms) AS events_up_to,
        SUM(events) OVER () AS events_in_all
    FROM delays
),

-- Nearest rank in whole numbers: approximate percentiles differ from engine to engine.
percentiles AS (
    SELECT
        MIN(CASE WHEN events_up_to * 100 >= events_in_all * 50 THEN delay_ms END) AS p50_ms,
        MIN(CASE WHEN events_up_to * 100 >= events_in_all * 95 THEN delay_ms END) AS p95_ms,
        MIN(CASE WHEN events_up_to * 100 >= events_in_all * 99 THEN delay_ms END) AS p99_ms,
        MAX(delay_ms) AS max_ms
    FROM ranked_delays
),

declared_gaps AS (
    SELECT DISTINCT
        ordering_key,
        first_sequence,
        last_sequence
    FROM sequence_gaps
    WHERE
        received_at >= :interval_start AND received_at < :interval_end
        AND status = 'declared' AND cause <> 'refused'
),

-- A late event may say that it was received before its gap was declared, by up to a day.
late_fills AS (
    SELECT DISTINCT
        ordering_key,
        first_sequence AS sequence
    FROM sequence_gaps
    WHERE received_at >= :interval_start - INTERVAL '2' DAY AND status = 'filled'
),

filled_gaps AS (
    SELECT
        declared_gaps.ordering_key,
        declared_gaps.first_sequence,
        COUNT(*) AS fills
    FROM declared_gaps
    INNER JOIN late_fills
        ON
            declared_gaps.ordering_key = late_fills.ordering_key
            AND late_fills.sequence BETWEEN declared_gaps.first_sequence AND declared_gaps.last_sequence
    GROUP BY declared_gaps.ordering_key, declared_gaps.first_sequence
),

losses AS (
    SELECT
        COALESCE(
            SUM(declared_gaps.last_sequence - declared_gaps.first_sequence + 1 - COALESCE(filled_gaps.fills, 0)), 0
        ) AS lost
    FROM declared_gaps
    LEFT JOIN filled_gaps
        ON
            declared_gaps.ordering_key = filled_gaps.ordering_key
            AND declared_gaps.first_sequence = filled_gaps.first_sequence
),

failures AS (
    SELECT COUNT(*) AS failed
    FROM quarantined_events
    WHERE received_at >= :interval_start AND received_at < :interval_end AND reason = 'operator_failed'
),

hours AS (
    SELECT
        totals.records,
        totals.bytes,
        totals.received,
        totals.stored,
        totals.duplicate,
        totals.quarantined,
        failures.failed,
        totals.late,
        losses.lost,
        percentiles.p50_ms,
        percentiles.p95_ms,
        percentiles.p99_ms,
        percentiles.max_ms,
        totals.delayed,
        totals.received + losses.lost AS events_due,
        -- An event may be both delayed and failed.
        CASE
            WHEN totals.received > totals.delayed + failures.failed
                THEN totals.received - totals.delayed - failures.failed
            ELSE 0
        END AS events_good
    FROM totals
    CROSS JOIN percentiles
    CROSS JOIN losses
    CROSS JOIN failures
)

SELECT
    :interval_start AS hour,
    records,
    bytes,
    received,
    stored,
    duplicate,
    quarantined,
    failed,
    late,
    lost,
    p50_ms AS delay_p50_ms,
    p95_ms AS delay_p95_ms,
    p99_ms AS delay_p99_ms,
    max_ms AS delay_max_ms,
    delayed,
    events_due,
    events_good,
    CASE WHEN events_due > 0 THEN CAST(events_good AS DOUBLE) / CAST(events_due AS DOUBLE) END AS availability
FROM hours
WHERE records > 0 OR stored > 0 OR events_due > 0 OR failed > 0
