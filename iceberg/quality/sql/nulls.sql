-- Rows of the interval that lack a value of a column whose values must not leave the engine.
SELECT
    :columns,
    COUNT(*) OVER () AS all_rows
FROM :table
WHERE :rows AND :column IS NULL
ORDER BY :columns
LIMIT :most
