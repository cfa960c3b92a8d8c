-- Delete bodies for a reason that two people stand for, and say so in the log in the same transaction. The headers, their
-- order and the tree stay whole; without the salt nothing can be guessed from a commitment. A closed log takes no entries:
-- for its bodies the log that continues it says so, and names it. `p_authority` is the statement that the two signed: this
-- function cannot check it, and a verifier counts no erasure without it. Prepared exports of the pharmacy go as well: a table
-- of answers may hold what is erased here. A worker that is preparing one holds the row for one page, and then finds it gone.
DROP FUNCTION IF EXISTS audit.erase(uuid, bigint[], text, text, text, text, text, timestamptz);
CREATE OR REPLACE FUNCTION audit.erase(
    p_log uuid, p_seqs bigint[], p_basis text, p_actor text, p_actor_role text, p_second_actor text, p_name text,
    p_occurred_at timestamptz, p_authority text DEFAULT NULL
) RETURNS uuid
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, audit, pg_temp AS $$
DECLARE
    pharmacy_ uuid;
    lane_ smallint;
    open_ uuid;
    origin_ text;
    wanted bigint;
    ranges_ text;
    problem text;
    exports_ uuid[] := '{}';
    entry_ uuid;
BEGIN
    SELECT pharmacy, lane INTO pharmacy_, lane_ FROM audit.log WHERE log_id = p_log;
    SELECT log_id, origin INTO open_, origin_ FROM audit.log WHERE pharmacy = pharmacy_ AND lane = lane_ AND closed_at IS NULL;
    IF open_ IS NULL THEN
        RAISE EXCEPTION 'audit: there is no log %', p_log USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF coalesce(btrim(p_second_actor), '') = '' OR p_second_actor = p_actor OR coalesce(btrim(p_basis), '') = '' THEN
        RAISE EXCEPTION 'audit: erasure needs a basis and two different people' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT count(DISTINCT s) INTO wanted FROM unnest(p_seqs) AS s;
    IF wanted = 0 THEN
        RAISE EXCEPTION 'audit: nothing to erase was named' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT string_agg(DISTINCT s::text, ', ') INTO problem FROM unnest(p_seqs) AS s
        WHERE NOT EXISTS (
            SELECT FROM audit.link l JOIN audit.entry e ON e.entry_id = l.entry_id AND e.recorded_at = l.recorded_at
            JOIN audit.body b ON b.entry_id = l.entry_id AND b.recorded_at = l.recorded_at
            WHERE l.log_id = p_log AND l.seq = s AND e.action NOT LIKE 'audit.%' AND e.action NOT LIKE 'key.%');
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'audit: these have no body that may be erased: %', problem USING ERRCODE = 'invalid_parameter_value',
            HINT = 'They do not exist, are erased already, or speak of the log itself.';
    END IF;
    SELECT '[' || string_agg('[' || first_ || ',' || last_ || ']', ',' ORDER BY first_) || ']' INTO ranges_ FROM (
        SELECT min(s) AS first_, max(s) AS last_ FROM (
            SELECT s, s - row_number() OVER (ORDER BY s) AS island FROM (SELECT DISTINCT unnest(p_seqs) AS s) AS named
        ) AS numbered GROUP BY island
    ) AS islands;
    IF to_regclass('public.dispensary_logexport') IS NOT NULL THEN -- a database with the log alone has none
        exports_ := ARRAY(SELECT id FROM public.dispensary_logexport WHERE pharmacy_id = pharmacy_ FOR UPDATE);
        DELETE FROM public.dispensary_logexportpart WHERE export_id = ANY (exports_);
        DELETE FROM public.dispensary_logexport WHERE id = ANY (exports_);
    END IF;
    entry_ := audit.append(
        pharmacy_, origin_, 'audit.erased', 'success', p_actor, p_actor_role, p_occurred_at, 'log', p_log::text,
        '{' || coalesce('"authority":' || to_json(p_authority)::text || ',', '') || '"basis":' || to_json(p_basis)::text || ',"by":' || to_json(p_name)::text || ',"count":' || wanted
            || ',"exports":' || cardinality(exports_) || CASE WHEN open_ <> p_log THEN ',"log":"' || p_log || '"' ELSE '' END || ',"ranges":' || ranges_ || '}',
        p_second_actor => p_second_actor);
    INSERT INTO audit.erasure (entry_id, recorded_at, erasure_entry_id)
        SELECT entry_id, recorded_at, entry_ FROM audit.link WHERE log_id = p_log AND seq = ANY (p_seqs);
    DELETE FROM audit.body b USING audit.link l
        WHERE l.log_id = p_log AND l.seq = ANY (p_seqs) AND b.entry_id = l.entry_id AND b.recorded_at = l.recorded_at;
    RETURN entry_;
END $$;

-- End the log of a pharmacy and open its successor, whose genesis holds the last note that was signed for the old one.
-- The first entry of the new log tells why. For the day when the sealer refuses because the database went back in time.
CREATE OR REPLACE FUNCTION audit.open_incarnation(
    p_log uuid, p_note text, p_reason text, p_actor text, p_actor_role text, p_second_actor text, p_name text,
    p_occurred_at timestamptz
) RETURNS uuid
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, audit, pg_temp AS $$
DECLARE
    old_ audit.log;
    new_ uuid := gen_random_uuid();
    size_ bigint;
    origin_ text;
BEGIN
    PERFORM 1 FROM audit.head WHERE log_id = p_log FOR UPDATE;
    SELECT * INTO old_ FROM audit.log WHERE log_id = p_log AND closed_at IS NULL;
    IF old_.log_id IS NULL THEN
        RAISE EXCEPTION 'audit: there is no open log %', p_log USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF coalesce(btrim(p_reason), '') = '' THEN
        RAISE EXCEPTION 'audit: a new incarnation needs a reason' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT coalesce(max(seq), 0) INTO size_ FROM audit.link WHERE log_id = p_log;
    origin_ := regexp_replace(old_.origin, '/incarnation/[0-9]+$', '') || '/incarnation/' || old_.incarnation + 1;
    UPDATE audit.log SET closed_at = clock_timestamp() WHERE log_id = p_log;
    DELETE FROM audit.head WHERE log_id = p_log;
    INSERT INTO audit.log (log_id, origin, pharmacy, lane, incarnation, predecessor_note, genesis)
        VALUES (new_, origin_, old_.pharmacy, old_.lane, old_.incarnation + 1, p_note, audit.genesis(new_, p_note));
    INSERT INTO audit.head (log_id, genesis) VALUES (new_, audit.genesis(new_, p_note));
    PERFORM audit.append(
        old_.pharmacy, origin_, 'audit.incarnation', 'success', p_actor, p_actor_role, p_occurred_at, 'log', new_::text,
        '{"by":' || to_json(p_name)::text || ',"found_size":' || size_ || ',"predecessor":' || to_json(old_.origin)::text
            || ',"predecessor_note":' || to_json(coalesce(p_note, ''))::text || ',"reason":' || to_json(p_reason)::text || '}',
        p_second_actor => p_second_actor);
    RETURN new_;
END $$;
