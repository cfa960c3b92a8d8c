-- One partition a month (UTC), made ahead; a default one, so that a late sealer never stops a dispense.
CREATE FUNCTION audit.add_partition(parent text, suffix text, bounds text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    child text := format('audit.%I', parent || '_' || suffix);
BEGIN
    EXECUTE format('CREATE TABLE %s PARTITION OF audit.%I %s', child, parent, bounds);
    PERFORM audit.guard(child::regclass);
    IF parent = 'body' THEN
        EXECUTE format('CREATE TRIGGER guard_erase BEFORE DELETE ON %s FOR EACH ROW EXECUTE FUNCTION audit.refuse_unless_erased()', child);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER guard_erase', child);
    END IF;
END $$;

-- Make the partitions of this month and the given number of months after it; give how many were made. Rows that already
-- lie in the default partition stay there: a month that has begun there is left to it.
CREATE FUNCTION audit.ensure_partitions(months integer DEFAULT 3) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, audit, pg_temp AS $$
DECLARE
    first_ timestamp := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC');
    from_ timestamptz;
    to_ timestamptz;
    suffix_ text;
    parent_ text;
    made integer := 0;
BEGIN
    IF months NOT BETWEEN 0 AND 24 THEN
        RAISE EXCEPTION 'audit: months is %, expected 0 to 24', months USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('audit.ensure_partitions', 0));
    FOR i IN 0..months LOOP
        from_ := (first_ + make_interval(months => i)) AT TIME ZONE 'UTC';
        to_ := (first_ + make_interval(months => i + 1)) AT TIME ZONE 'UTC';
        suffix_ := to_char(first_ + make_interval(months => i), 'YYYY_MM');
        CONTINUE WHEN to_regclass('audit.entry_' || suffix_) IS NOT NULL;
        CONTINUE WHEN EXISTS (SELECT FROM audit.entry_default WHERE recorded_at >= from_ AND recorded_at < to_);
        FOREACH parent_ IN ARRAY ARRAY['body', 'entry'] LOOP
            PERFORM audit.add_partition(parent_, suffix_, format('FOR VALUES FROM (%L) TO (%L)', from_, to_));
        END LOOP;
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;

SELECT audit.add_partition(t, 'default', 'DEFAULT') FROM unnest(ARRAY['body', 'entry']) AS t;
SELECT audit.ensure_partitions(3);
