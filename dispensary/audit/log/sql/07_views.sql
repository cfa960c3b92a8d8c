-- What a reader of the application sees. One line: the header's columns, its number and leaf, and whose log it is in.
CREATE VIEW audit.line AS
    SELECT e.entry_id, e.log_id, g.pharmacy, g.origin, l.seq, l.leaf, e.recorded_at, e.occurred_at, e.txid, e.db_role,
           e.actor, e.actor_role, e.second_actor, e.station, e.request_id, e.action, e.outcome, e.reason_code,
           e.subject_type, e.subject_id, e.patient_ref, e.drug_code, e.rule_codes, e.ruleset, e.engine, e.corrects_seq,
           e.body_commit, e.body_kind, e.v
    FROM audit.entry e
    JOIN audit.log g USING (log_id)
    LEFT JOIN audit.link l ON l.entry_id = e.entry_id;

-- Bodies, only of the pharmacies that the session says it reads for (`SET LOCAL audit.pharmacies`). Nothing said, nothing
-- seen: a forgotten filter shows an empty page, not another pharmacy's patients.
CREATE VIEW audit.readable_body WITH (security_barrier) AS
    SELECT b.entry_id, b.recorded_at, b.salt, b.body, g.pharmacy
    FROM audit.body b
    JOIN audit.entry e ON e.entry_id = b.entry_id AND e.recorded_at = b.recorded_at
    JOIN audit.log g ON g.log_id = e.log_id
    WHERE g.pharmacy = ANY (string_to_array(nullif(current_setting('audit.pharmacies', true), ''), ',')::uuid[]);

-- No function here is anybody's by default; `manage.py audit roles` hands them out by role.
REVOKE ALL ON ALL TABLES IN SCHEMA audit FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC;
