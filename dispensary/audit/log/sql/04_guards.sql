-- What was written stays. These triggers fire also in a session that calls itself a replica (ENABLE ALWAYS).
CREATE FUNCTION audit.refuse() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'audit: % on %.% is refused, the log is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege', HINT = 'Correct by a new entry; erase bodies with audit.erase().';
END $$;

-- A body may be deleted only after audit.erase() named it in the same or an earlier transaction.
CREATE FUNCTION audit.refuse_unless_erased() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, audit, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM audit.erasure WHERE entry_id = OLD.entry_id) THEN
        RAISE EXCEPTION 'audit: DELETE on audit.body is refused, use audit.erase()' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END $$;

-- A log may be closed, once, and nothing else about it changes.
CREATE FUNCTION audit.refuse_unless_closing() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, audit, pg_temp AS $$
DECLARE
    before_ audit.log := OLD;
BEGIN
    before_.closed_at := NEW.closed_at;
    IF OLD.closed_at IS NOT NULL OR NEW.closed_at IS NULL OR before_ IS DISTINCT FROM NEW THEN
        RAISE EXCEPTION 'audit: UPDATE on audit.log is refused, a log can only be closed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

-- The lock target of a log goes when the log is closed, so that whoever waited for it does not link any more.
CREATE FUNCTION audit.refuse_unless_closed() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, audit, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM audit.log WHERE log_id = OLD.log_id AND closed_at IS NULL) THEN
        RAISE EXCEPTION 'audit: DELETE on audit.head is refused, the log is open' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END $$;

-- Statement triggers do not reach from a partitioned table to a statement that names its partition, so each gets its own.
CREATE FUNCTION audit.guard(relation regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF relation::text ~ '^audit\.body' OR relation::text = 'audit.head' THEN
        EXECUTE format('CREATE TRIGGER guard BEFORE UPDATE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse()', relation);
    ELSIF relation::text = 'audit.log' THEN
        EXECUTE format('CREATE TRIGGER guard BEFORE DELETE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse()', relation);
    ELSE
        EXECUTE format('CREATE TRIGGER guard BEFORE UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse()', relation);
    END IF;
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER guard', relation);
END $$;

SELECT audit.guard(t::regclass) FROM unnest(ARRAY['audit.log', 'audit.head', 'audit.entry', 'audit.body', 'audit.link',
    'audit.checkpoint', 'audit.cosignature', 'audit.delivery', 'audit.erasure']) AS t;

CREATE TRIGGER guard_close BEFORE UPDATE ON audit.log FOR EACH ROW EXECUTE FUNCTION audit.refuse_unless_closing();
ALTER TABLE audit.log ENABLE ALWAYS TRIGGER guard_close;

CREATE TRIGGER guard_close BEFORE DELETE ON audit.head FOR EACH ROW EXECUTE FUNCTION audit.refuse_unless_closed();
ALTER TABLE audit.head ENABLE ALWAYS TRIGGER guard_close;
