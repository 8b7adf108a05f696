-- check: counts_not_negative (block)
-- A count below 0 is a mistake of the audit, not of the events.
SELECT
    type,
    received,
    stored,
    duplicate,
    quarantined
FROM reconciliation_hourly
WHERE received < 0 OR stored < 0 OR duplicate < 0 OR quarantined < 0;

-- check: counts_close (warn)
-- What was received is stored, refused, a duplicate or waits, and the tables hold it. A job that is running may be a
-- checkpoint apart; the billing close refuses a day that does not close.
SELECT
    type,
    hour,
    difference
FROM reconciliation_hourly
WHERE difference <> 0;
