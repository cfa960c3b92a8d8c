-- Old entries leave the database after they were exported: each log names the range, the root and the export's digest in an
-- entry of its own, a checkpoint covers that entry, and only then the month's partitions go. Links stay for ever. For a log
-- that was closed, the one that continues it says so and names it.
CREATE FUNCTION audit.drop_month(p_month date) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, audit, pg_temp AS $$
DECLARE
    suffix_ text := to_char(p_month, 'YYYY_MM');
    entries bigint;
    uncovered text;
BEGIN
    IF to_regclass('audit.entry_' || suffix_) IS NULL OR to_regclass('audit.body_' || suffix_) IS NULL THEN
        RAISE EXCEPTION 'audit: there is no partition of %', suffix_ USING ERRCODE = 'undefined_table';
    END IF;
    EXECUTE format('LOCK TABLE audit.%I, audit.%I IN ACCESS EXCLUSIVE MODE', 'entry_' || suffix_, 'body_' || suffix_);
    -- Every entry of the month must lie in a range that a linked `audit.retired` entry names and a checkpoint covers.
    EXECUTE format($query$
        SELECT string_agg(DISTINCT g.origin, ', ') FROM audit.%I e
        JOIN audit.log g ON g.log_id = e.log_id JOIN audit.link l ON l.entry_id = e.entry_id
        WHERE NOT EXISTS (
            SELECT FROM audit.entry r
            JOIN audit.link rl ON rl.entry_id = r.entry_id
            JOIN audit.body rb ON rb.entry_id = r.entry_id AND rb.recorded_at = r.recorded_at
            WHERE r.action = 'audit.retired' AND (r.log_id = e.log_id AND rb.body::json ->> 'log' IS NULL
                OR r.log_id <> e.log_id AND rb.body::json ->> 'log' = e.log_id::text
                   AND EXISTS (SELECT FROM audit.log h WHERE h.log_id = r.log_id AND h.pharmacy = g.pharmacy))
              AND l.seq BETWEEN (rb.body::json ->> 'first')::bigint AND (rb.body::json ->> 'last')::bigint
              AND EXISTS (SELECT FROM audit.checkpoint c WHERE c.log_id = r.log_id AND c.size >= rl.seq))
        $query$, 'entry_' || suffix_) INTO uncovered;
    IF uncovered IS NOT NULL THEN
        RAISE EXCEPTION 'audit: entries of % are not retired in: %', suffix_, uncovered
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Each log needs an audit.retired entry for the month, covered by a checkpoint.';
    END IF;
    EXECUTE format('SELECT count(*) FROM audit.%I', 'entry_' || suffix_) INTO entries;
    EXECUTE format('DROP TABLE audit.%I', 'entry_' || suffix_);
    EXECUTE format('DROP TABLE audit.%I', 'body_' || suffix_);
    RETURN entries;
END $$;
REVOKE ALL ON FUNCTION audit.drop_month(date) FROM PUBLIC;
