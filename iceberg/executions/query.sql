-- The ledger of one day: executions that finished on it, and what sealed days did not know of others.
WITH frontier AS (
    SELECT
        COALESCE(MAX(day), DATE '0001-01-01') AS last_sealed,
        CAST(DATE_ADD('day', 1, COALESCE(MAX(day), DATE '0001-01-01')) AS DATE) AS first_open
    FROM billing_seals
),

-- Rows of one revision that differ in nothing else are one.
ranked_outcomes AS (
    SELECT
        execution_id,
        revision,
        room_id,
        user_id,
        session_id,
        document_id,
        language,
        image,
        worker_id,
        queued_at,
        started_at,
        finished_at,
        received_at,
        outcome,
        exit_code,
        cpu_ms,
        wall_ms,
        peak_memory_bytes,
        output_chunks,
        output_bytes,
        event_id,
        decided_by,
        CAST(finished_at AS DATE) AS finished_day,
        ROW_NUMBER() OVER (
            PARTITION BY execution_id
            ORDER BY revision DESC, received_at DESC, event_id DESC, room_id DESC, output_chunks DESC
        ) AS place
    FROM execution_outcomes
),

-- Ledger rows of sealed days, the newest of each execution first.
ranked_bookings AS (
    SELECT
        executions.execution_id,
        executions.billing_day,
        executions.user_id,
        executions.outcome,
        executions.cpu_ms,
        executions.wall_ms,
        executions.peak_memory_bytes,
        executions.output_chunks,
        executions.output_bytes,
        ROW_NUMBER() OVER (PARTITION BY executions.execution_id ORDER BY executions.billing_day DESC) AS place
    FROM executions
    CROSS JOIN frontier
    WHERE executions.billing_day <= frontier.last_sealed
),

bookings AS (
    SELECT
        execution_id,
        MIN(billing_day) AS first_day,
        MAX(CASE WHEN place = 1 THEN user_id END) AS user_id,
        MAX(CASE WHEN place = 1 THEN outcome END) AS outcome,
        SUM(cpu_ms) AS cpu_ms,
        SUM(wall_ms) AS wall_ms,
        SUM(peak_memory_bytes) AS peak_memory_bytes,
        SUM(output_chunks) AS output_chunks,
        SUM(output_bytes) AS output_bytes
    FROM ranked_bookings
    GROUP BY execution_id
),

candidates AS (
    SELECT
        latest.execution_id,
        CAST(:interval_start AS DATE) AS billing_day,
        CASE
            WHEN bookings.execution_id IS NULL AND latest.finished_day > frontier.last_sealed THEN 'execution'
            ELSE 'adjustment'
        END AS kind,
        COALESCE(bookings.first_day, latest.finished_day) AS adjusts,
        CASE WHEN bookings.execution_id IS NULL THEN 1 ELSE 0 END AS counted,
        latest.revision,
        latest.room_id,
        latest.user_id,
        latest.session_id,
        latest.document_id,
        latest.language,
        latest.image,
        latest.worker_id,
        latest.queued_at,
        latest.started_at,
        latest.finished_at,
        latest.received_at,
        latest.outcome,
        latest.exit_code,
        latest.cpu_ms - COALESCE(bookings.cpu_ms, 0) AS cpu_ms,
        latest.wall_ms - COALESCE(bookings.wall_ms, 0) AS wall_ms,
        latest.peak_memory_bytes - COALESCE(bookings.peak_memory_bytes, 0) AS peak_memory_bytes,
        latest.output_chunks - COALESCE(bookings.output_chunks, 0) AS output_chunks,
        latest.output_bytes - COALESCE(bookings.output_bytes, 0) AS output_bytes,
        latest.event_id,
        latest.decided_by,
        bookings.user_id AS booked_user_id,
        bookings.outcome AS booked_outcome,
        COALESCE(bookings.cpu_ms, 0) AS booked_cpu_ms,
        COALESCE(bookings.wall_ms, 0) AS booked_wall_ms,
        COALESCE(bookings.output_bytes, 0) AS booked_output_bytes
    FROM ranked_outcomes AS latest
    CROSS JOIN frontier
    LEFT JOIN bookings ON latest.execution_id = bookings.execution_id
    WHERE
        latest.place = 1
        -- What finished on a sealed day is booked on the first open one, else on the day it finished.
        AND CASE
            WHEN latest.finished_day <= frontier.last_sealed THEN frontier.first_open
            ELSE latest.finished_day
        END = CAST(:interval_start AS DATE)
)

SELECT
    execution_id,
    billing_day,
    kind,
    CASE WHEN kind = 'adjustment' THEN adjusts END AS adjusts,
    counted,
    revision,
    room_id,
    user_id,
    session_id,
    document_id,
    language,
    image,
    worker_id,
    queued_at,
    started_at,
    finished_at,
    received_at,
    outcome,
    exit_code,
    cpu_ms,
    wall_ms,
    peak_memory_bytes,
    output_chunks,
    output_bytes,
    event_id,
    decided_by,
    booked_user_id,
    booked_outcome,
    booked_cpu_ms,
    booked_wall_ms,
    booked_output_bytes
FROM candidates
WHERE
    counted = 1
    OR cpu_ms <> 0
    OR wall_ms <> 0
    OR peak_memory_bytes <> 0
    OR output_chunks <> 0
    OR output_bytes <> 0
    OR outcome <> booked_outcome
    OR COALESCE(user_id, '') <> COALESCE(booked_user_id, '')
