-- The most frequent values of one column.
SELECT
    CAST(:column AS VARCHAR) AS top_value,
    COUNT(*) AS value_rows
FROM :table
WHERE :rows AND :column IS NOT NULL
GROUP BY :column
ORDER BY value_rows DESC, top_value ASC
LIMIT :most
