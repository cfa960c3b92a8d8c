-- The bytes that are hashed. RFC 8785 text: keys in order, no spaces, absent when null. The Python twin is
-- dispensary.audit.log.canonical; a property test and the committed vectors hold the two together. These bodies are
-- resolved when they are created, so no search_path of a caller can change what they mean.
CREATE FUNCTION audit.time_text(t timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN pg_catalog.to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

CREATE FUNCTION audit.header(e audit.entry, seq bigint, prev bytea) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN '{"action":' || pg_catalog.to_json((e).action)::text
        || ',"actor":' || pg_catalog.to_json((e).actor)::text
        || ',"actor_role":' || pg_catalog.to_json((e).actor_role)::text
        || ',"body":"' || pg_catalog.encode((e).body_commit, 'hex')
        || '","body_kind":' || (e).body_kind::text
        || coalesce(',"corrects":' || (e).corrects_seq::text, '')
        || ',"db_role":' || pg_catalog.to_json((e).db_role)::text
        || coalesce(',"drug_code":' || pg_catalog.to_json((e).drug_code)::text, '')
        || coalesce(',"engine":' || pg_catalog.to_json((e).engine)::text, '')
        || ',"id":"' || (e).entry_id::text
        || '","log":"' || (e).log_id::text
        || '","occurred":"' || audit.time_text((e).occurred_at)
        || '","outcome":' || pg_catalog.to_json((e).outcome)::text
        || coalesce(',"patient_ref":' || pg_catalog.to_json((e).patient_ref)::text, '')
        || ',"prev":"' || pg_catalog.encode(prev, 'hex') || '"'
        || coalesce(',"reason_code":' || pg_catalog.to_json((e).reason_code)::text, '')
        || ',"recorded":"' || audit.time_text((e).recorded_at) || '"'
        || coalesce(',"request_id":' || pg_catalog.to_json((e).request_id)::text, '')
        || coalesce(',"rule_codes":' || pg_catalog.array_to_json((e).rule_codes)::text, '')
        || coalesce(',"ruleset":"' || pg_catalog.encode((e).ruleset, 'hex') || '"', '')
        || coalesce(',"second_actor":' || pg_catalog.to_json((e).second_actor)::text, '')
        || ',"seq":' || seq::text
        || coalesce(',"station":' || pg_catalog.to_json((e).station)::text, '')
        || ',"subject_id":' || pg_catalog.to_json((e).subject_id)::text
        || ',"subject_type":' || pg_catalog.to_json((e).subject_type)::text
        || ',"txid":' || (e).txid::text
        || ',"v":' || (e).v::text || '}';

-- RFC 9162 leaf of a header. STABLE, as convert_to is: so the planner can put the expression in place of the call.
CREATE FUNCTION audit.leaf(header text) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN pg_catalog.sha256('\x00'::bytea || pg_catalog.convert_to(header, 'UTF8'));

CREATE FUNCTION audit.body_commitment(salt bytea, body text) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN pg_catalog.sha256('\x02'::bytea || salt || pg_catalog.convert_to(body, 'UTF8'));

CREATE FUNCTION audit.genesis(log_id uuid, predecessor_note text) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pg_catalog.sha256(pg_catalog.convert_to(
        'audit/genesis/v1' || pg_catalog.chr(10) || log_id::text || pg_catalog.chr(10) || coalesce(predecessor_note, ''), 'UTF8'));
