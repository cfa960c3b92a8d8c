-- Rows answer to the log. What an event's row says is written once; what a row of master data says changes only with an entry of
-- the same transaction that holds the new values.
CREATE OR REPLACE FUNCTION audit.refuse_signed() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'audit: what a row of % says was written into the log and stays', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege', HINT = 'Record a new event.';
END $$;

-- At COMMIT: one entry of this transaction about the row has, under `row` and `row.facts`, the values of these columns as they are
-- now. What is unknown in an object of JSON is left out of the entry, and its texts are normalised (NFC).
CREATE OR REPLACE FUNCTION audit.require_entry() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, audit, pg_temp AS $$
DECLARE
    answered boolean;
BEGIN
    EXECUTE format($query$
        SELECT bool_or(t IS NULL OR jsonb_strip_nulls(to_jsonb(jsonb_populate_record(t, $2 || coalesce(b.body::jsonb -> 'row', '{}')
            || coalesce(b.body::jsonb #> '{row,facts}', '{}')))) = normalize(jsonb_strip_nulls(to_jsonb(t))::text)::jsonb)
        FROM (VALUES (1)) AS one LEFT JOIN %s t ON t.id = $1
        LEFT JOIN audit.entry e ON e.subject_id = $1::text AND e.txid = pg_current_xact_id()::text::bigint
            AND e.recorded_at >= transaction_timestamp() - interval '5 minutes'
        LEFT JOIN audit.body b ON b.entry_id = e.entry_id AND b.recorded_at = e.recorded_at
        GROUP BY t
        $query$, TG_RELID::regclass)
        INTO answered USING NEW.id, (SELECT jsonb_object_agg(name, NULL) FROM unnest(TG_ARGV) AS name);
    IF answered IS NOT TRUE THEN
        RAISE EXCEPTION 'audit: % % was changed without an entry that says so', TG_TABLE_NAME, NEW.id
            USING ERRCODE = 'insufficient_privilege', HINT = 'Write it by the action that records it.';
    END IF;
    RETURN NULL;
END $$;

-- Whether the triggers below look away: for whoever may make triggers on the table, its owner, who runs migrations and could drop
-- them anyway. The nightly comparison of rows and entries names what he changed.
CREATE OR REPLACE FUNCTION audit.unless_owner(relation regclass) RETURNS text
    LANGUAGE sql STABLE
    RETURN pg_catalog.format('NOT pg_catalog.has_table_privilege(%L::pg_catalog.regclass, ''TRIGGER'')', relation);

-- Guard the rows of an event's table: every column but these, and from deletion.
CREATE OR REPLACE FUNCTION audit.sign_events(relation regclass, open_columns text[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed text;
BEGIN
    SELECT string_agg(format('OLD.%1$I IS DISTINCT FROM NEW.%1$I', attname), ' OR ' ORDER BY attname) INTO changed
        FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND attname <> ALL (open_columns);
    EXECUTE format('DROP TRIGGER IF EXISTS signed ON %s', relation);
    EXECUTE format('CREATE TRIGGER signed BEFORE UPDATE ON %s FOR EACH ROW WHEN ((%s) AND %s) EXECUTE FUNCTION audit.refuse_signed()',
                   relation, changed, audit.unless_owner(relation));
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER signed', relation);
    PERFORM audit.keep_rows(relation);
END $$;

-- Let these columns of a table of master data change only with an entry, and no row go.
CREATE OR REPLACE FUNCTION audit.sign_master(relation regclass, columns text[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed text;
    names text;
BEGIN
    SELECT string_agg(format('OLD.%1$I IS DISTINCT FROM NEW.%1$I', c), ' OR '), string_agg(quote_literal(c), ', ')
        INTO changed, names FROM unnest(columns) AS c;
    EXECUTE format('DROP TRIGGER IF EXISTS signed ON %s', relation);
    EXECUTE format('CREATE CONSTRAINT TRIGGER signed AFTER UPDATE ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW '
                   'WHEN ((%s) AND %s) EXECUTE FUNCTION audit.require_entry(%s)', relation, changed, audit.unless_owner(relation), names);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER signed', relation);
    PERFORM audit.keep_rows(relation);
END $$;

CREATE OR REPLACE FUNCTION audit.keep_rows(relation regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('DROP TRIGGER IF EXISTS signed_stays ON %s', relation);
    EXECUTE format('CREATE TRIGGER signed_stays BEFORE DELETE ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION audit.refuse_signed()',
                   relation, audit.unless_owner(relation));
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER signed_stays', relation);
END $$;
