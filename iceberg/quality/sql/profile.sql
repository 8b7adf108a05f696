-- One row with everything that is asked of the columns of a table's rows.
SELECT
    COUNT(*) AS all_rows,
    :aggregates
FROM :table
WHERE :rows
