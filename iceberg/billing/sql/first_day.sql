-- The first day on which an execution finished, by what is known now.
WITH ranked_outcomes AS (
    SELECT
        finished_at,
        ROW_NUMBER() OVER (PARTITION BY execution_id ORDER BY revision DESC) AS place
    FROM execution_outcomes
)

SELECT CAST(MIN(finished_at) AS DATE) AS first_day
FROM ranked_outcomes
WHERE place = 1
