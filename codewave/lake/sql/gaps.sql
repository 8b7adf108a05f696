-- Gaps declared, and rows of both kinds as the search index counts them.
SELECT
    COUNT(DISTINCT CASE WHEN status = 'declared' THEN gap_id END) AS declared,
    COUNT(DISTINCT gap_id) AS gap_rows
FROM sequence_gaps
WHERE received_at >= TIMESTAMP '{since}'
