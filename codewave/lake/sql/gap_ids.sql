-- Ids of all gaps and late fills, as the search index names its documents.
SELECT DISTINCT gap_id
FROM sequence_gaps
