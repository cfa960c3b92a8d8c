-- Open the log of a pharmacy, once, whoever comes first; give its id. Waits for another opener, never makes two.
CREATE OR REPLACE FUNCTION audit.open_log(p_pharmacy uuid, p_origin text) RETURNS uuid
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, audit, pg_temp AS $$
DECLARE
    found_id uuid;
    new_id uuid;
BEGIN
    SELECT log_id INTO found_id FROM audit.log WHERE pharmacy = p_pharmacy AND lane = 0 AND closed_at IS NULL;
    IF found_id IS NOT NULL THEN
        RETURN found_id;
    END IF;
    new_id := gen_random_uuid();
    INSERT INTO audit.log (log_id, origin, pharmacy, genesis)
        VALUES (new_id, p_origin, p_pharmacy, audit.genesis(new_id, NULL))
        ON CONFLICT DO NOTHING;
    IF FOUND THEN
        INSERT INTO audit.head (log_id, genesis) VALUES (new_id, audit.genesis(new_id, NULL));
        RETURN new_id;
    END IF;
    SELECT log_id INTO found_id FROM audit.log WHERE pharmacy = p_pharmacy AND lane = 0 AND closed_at IS NULL;
    IF found_id IS NULL THEN
        RAISE EXCEPTION 'audit: no log can be opened for pharmacy % under origin %', p_pharmacy, p_origin
            USING ERRCODE = 'unique_violation', HINT = 'The origin belongs to another log, or this log was closed.';
    END IF;
    RETURN found_id;
END $$;

-- A version 7 UUID (RFC 9562): 48 bits of the given time in milliseconds, the rest random. Ordered by time, so that the
-- indexes grow at one end.
CREATE OR REPLACE FUNCTION audit.new_id(at_ timestamptz) RETURNS uuid
    LANGUAGE sql VOLATILE
    RETURN (pg_catalog.lpad(pg_catalog.to_hex(floor(extract(epoch FROM at_) * 1000)::bigint), 12, '0') || '7'
            || pg_catalog.substr(pg_catalog.gen_random_uuid()::text, 16))::uuid;

-- What speaks of the log itself is written by those who keep it: erasure, retirement and incarnation by whoever may erase, all
-- else by whoever may sign. The application's role may do neither.
CREATE OR REPLACE FUNCTION audit.may_write(p_action text) RETURNS boolean
    LANGUAGE sql STABLE
    RETURN CASE
        WHEN p_action IN ('audit.erased', 'audit.retired', 'audit.incarnation')
            THEN pg_catalog.has_function_privilege(
                session_user, 'audit.erase(uuid,bigint[],text,text,text,text,text,timestamptz,text)', 'EXECUTE')
        WHEN p_action LIKE 'audit.%' OR p_action LIKE 'key.%' OR p_action = 'log.verified'
            THEN pg_catalog.has_table_privilege(session_user, 'audit.checkpoint', 'INSERT')
        ELSE true END;

-- Say what is wrong with an entry that audit.append does not take.
CREATE OR REPLACE FUNCTION audit.refuse_entry(
    p_action text, p_outcome text, p_actor text, p_actor_role text, p_occurred_at timestamptz, p_subject_type text,
    p_subject_id text, p_body text, p_ruleset bytea, p_corrects_seq bigint
) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wrong text := CASE
        WHEN p_outcome <> ALL ('{success,refused,failure}') THEN 'outcome'
        WHEN p_action = '' THEN 'action'
        WHEN btrim(p_actor) = '' THEN 'actor'
        WHEN p_actor_role = '' THEN 'actor_role'
        WHEN p_subject_type = '' THEN 'subject_type'
        WHEN p_subject_id = '' THEN 'subject_id'
        WHEN p_occurred_at < '1900-01-01 00:00:00+00' OR p_occurred_at >= '9999-01-01 00:00:00+00' THEN 'occurred_at'
        WHEN length(p_ruleset) <> 32 THEN 'ruleset'
        WHEN p_corrects_seq < 1 THEN 'corrects_seq' END;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'audit: isolation level % cannot be audited, use READ COMMITTED', current_setting('transaction_isolation')
            USING ERRCODE = 'feature_not_supported';
    ELSIF NOT audit.may_write(p_action) THEN
        RAISE EXCEPTION 'audit: % is not the application''s to write', p_action USING ERRCODE = 'insufficient_privilege',
            HINT = 'What speaks of the log itself is written by the roles that sign or erase.';
    ELSIF json_typeof(p_body::json) <> 'object' THEN
        RAISE EXCEPTION 'audit: the body must be a JSON object' USING ERRCODE = 'invalid_parameter_value';
    ELSIF octet_length(p_body) > 1048576 THEN
        RAISE EXCEPTION 'audit: the body is % bytes, the limit is 1048576', octet_length(p_body)
            USING ERRCODE = 'program_limit_exceeded';
    ELSIF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'audit: the entry''s % is not one that the log takes', wrong
            USING ERRCODE = 'check_violation', SCHEMA = 'audit', TABLE = 'entry', COLUMN = wrong;
    END IF;
    RAISE EXCEPTION 'audit: the header is too long' USING ERRCODE = 'program_limit_exceeded';
END $$;

-- The only way in. The database sets the id, the time of recording, the transaction, the role and the salt.
CREATE OR REPLACE FUNCTION audit.append(
    p_pharmacy uuid, p_origin text, p_action text, p_outcome text, p_actor text, p_actor_role text, p_occurred_at timestamptz,
    p_subject_type text, p_subject_id text, p_body text,
    p_second_actor text DEFAULT NULL, p_station text DEFAULT NULL, p_request_id text DEFAULT NULL,
    p_reason_code text DEFAULT NULL, p_patient_ref text DEFAULT NULL, p_drug_code text DEFAULT NULL,
    p_rule_codes text[] DEFAULT NULL, p_ruleset bytea DEFAULT NULL, p_engine text DEFAULT NULL,
    p_corrects_seq bigint DEFAULT NULL
) RETURNS uuid
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, audit, pg_temp AS $$
DECLARE
    at_ timestamptz := clock_timestamp();
    log_ uuid;
    logs_ text := current_setting('audit.logs', true);
    id_ uuid := audit.new_id(at_);
    salt_ bytea := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
BEGIN
    -- One expression for what hardly ever fails: each costs its preparation anew in every transaction.
    IF current_setting('transaction_isolation') <> 'read committed'
        OR json_typeof(p_body::json) <> 'object' OR octet_length(p_body) > 1048576
        OR octet_length(concat(p_action, p_actor, p_actor_role, p_subject_type, p_subject_id, p_second_actor, p_station,
                               p_request_id, p_reason_code, p_patient_ref, p_drug_code, p_engine, p_rule_codes::text)) > 8192
        OR p_outcome <> ALL ('{success,refused,failure}') OR '' IN (p_action, p_actor_role, p_subject_type, p_subject_id)
        OR btrim(p_actor) = '' OR p_occurred_at < '1900-01-01 00:00:00+00' OR p_occurred_at >= '9999-01-01 00:00:00+00'
        OR length(p_ruleset) <> 32 OR p_corrects_seq < 1 OR p_action ~ '^(audit\.|key\.|log\.verified$)' AND NOT audit.may_write(p_action)
    THEN
        PERFORM audit.refuse_entry(p_action, p_outcome, p_actor, p_actor_role, p_occurred_at, p_subject_type, p_subject_id,
                                   p_body, p_ruleset, p_corrects_seq);
    END IF;
    SELECT log_id INTO log_ FROM audit.log WHERE pharmacy = p_pharmacy AND lane = 0 AND closed_at IS NULL;
    IF log_ IS NULL THEN
        log_ := audit.open_log(p_pharmacy, p_origin);
    END IF;
    -- Remembered for the link trigger alone, which locks the heads of one transaction in one order.
    IF logs_ IS NULL OR position(log_::text IN logs_) = 0 THEN
        logs_ := set_config('audit.logs', concat_ws(',', nullif(logs_, ''), log_::text), true);
    END IF;
    INSERT INTO audit.body (entry_id, recorded_at, salt, body) VALUES (id_, at_, salt_, p_body);
    INSERT INTO audit.entry (
        entry_id, log_id, recorded_at, occurred_at, txid, db_role, actor, actor_role, second_actor, station, request_id,
        action, outcome, reason_code, subject_type, subject_id, patient_ref, drug_code, rule_codes, ruleset, engine,
        corrects_seq, body_commit, body_kind, v
    ) VALUES (
        id_, log_, at_, p_occurred_at, pg_current_xact_id()::text::bigint, session_user, p_actor, p_actor_role,
        nullif(p_second_actor, ''), nullif(p_station, ''), nullif(p_request_id, ''), p_action, p_outcome,
        nullif(p_reason_code, ''), p_subject_type, p_subject_id, nullif(p_patient_ref, ''), nullif(p_drug_code, ''),
        nullif(array_remove(p_rule_codes, NULL), '{}'), p_ruleset, nullif(p_engine, ''), p_corrects_seq,
        audit.body_commitment(salt_, p_body), 1, 1
    );
    RETURN id_;
END $$;

-- At COMMIT: lock the head, read the tail, hash, link. Nothing of the application runs while the lock is held.
CREATE OR REPLACE FUNCTION audit.link_entry() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, audit, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    e audit.entry := NEW;
    genesis_ bytea;
    logs_ text := current_setting('audit.logs', true);
BEGIN
    IF clock_timestamp() - e.recorded_at > interval '5 minutes' THEN
        RAISE EXCEPTION 'audit: the transaction was open for more than 5 minutes after its entry, or the clock jumped'
            USING ERRCODE = 'serialization_failure';
    END IF;
    IF length(logs_) > 36 THEN -- more than one log: one order for everybody, hence no deadlock
        PERFORM 1 FROM audit.head WHERE log_id = ANY (ARRAY(
            SELECT log_::uuid FROM unnest(string_to_array(logs_, ',')) AS log_
            WHERE log_ ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')) ORDER BY log_id FOR NO KEY UPDATE;
    END IF;
    SELECT genesis INTO genesis_ FROM audit.head WHERE log_id = e.log_id FOR NO KEY UPDATE;
    IF genesis_ IS NULL THEN
        RAISE EXCEPTION 'audit: the log of this entry was closed meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;
    -- A statement of its own, so that its snapshot is taken under the lock and sees the tail.
    INSERT INTO audit.link (log_id, seq, entry_id, recorded_at, leaf)
        SELECT e.log_id, next.seq, e.entry_id, e.recorded_at, audit.leaf(audit.header(e, next.seq, next.prev)) FROM (
            SELECT coalesce(tail.seq, 0) + 1 AS seq, coalesce(tail.leaf, genesis_) AS prev FROM (VALUES (1)) AS one
            LEFT JOIN LATERAL (SELECT seq, leaf FROM audit.link WHERE log_id = e.log_id ORDER BY seq DESC LIMIT 1) AS tail ON true
        ) AS next;
    RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS link_entry ON audit.entry;
CREATE CONSTRAINT TRIGGER link_entry AFTER INSERT ON audit.entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit.link_entry();
