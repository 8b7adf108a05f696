-- Batch numbers of each collector that are missing before one that came.
WITH seen AS (
    SELECT DISTINCT
        collector,
        batch
    FROM record_audit
    WHERE collector IS NOT NULL AND received_at >= TIMESTAMP '{since}'
),

neighbours AS (
    SELECT
        collector,
        batch,
        COALESCE(LAG(batch) OVER (PARTITION BY collector ORDER BY batch), 0) AS previous
    FROM seen
)

SELECT
    collector,
    previous + 1 AS first_batch,
    batch - 1 AS last_batch
FROM neighbours
WHERE batch > previous + 1
ORDER BY collector, previous
