-- Keys that more than one row of the interval has, the first ones; all_rows counts the rows of all of them.
WITH shared AS (
    SELECT
        :columns,
        COUNT(*) AS copies
    FROM :table
    WHERE :rows AND (:present)
    GROUP BY :columns
    HAVING COUNT(*) > 1
)

SELECT
    :columns,
    copies,
    SUM(copies) OVER () AS all_rows
FROM shared
ORDER BY :columns
LIMIT :most
