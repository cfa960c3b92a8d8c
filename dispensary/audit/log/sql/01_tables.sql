-- The objects of the log. Whoever runs the migrations owns them; nobody else may write to them except through
-- the functions below. Columns of `entry` are the header: nothing searchable exists that is not hashed.
CREATE SCHEMA audit;
REVOKE ALL ON SCHEMA audit FROM PUBLIC;

CREATE TABLE audit.log (
    log_id           uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    origin           text NOT NULL UNIQUE CHECK (origin ~ '^[^[:space:]+]+$' AND length(origin) <= 255),
    pharmacy         uuid NOT NULL,
    lane             smallint NOT NULL DEFAULT 0,
    incarnation      integer NOT NULL DEFAULT 1 CHECK (incarnation > 0),
    opened_at        timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    closed_at        timestamptz,
    predecessor_note text,
    genesis          bytea NOT NULL CHECK (length(genesis) = 32),
    format           smallint NOT NULL DEFAULT 1,
    UNIQUE (pharmacy, lane, incarnation)
);
CREATE UNIQUE INDEX log_open ON audit.log (pharmacy, lane) WHERE closed_at IS NULL;

-- A lock target and nothing else: never updated, so that it never bloats. A closed log has none.
CREATE TABLE audit.head (
    log_id  uuid PRIMARY KEY REFERENCES audit.log,
    genesis bytea NOT NULL
);

-- What the columns may hold is checked once, by audit.append, which is the only way in. CHECKs here would be read and planned
-- anew by every INSERT, and were a tenth of what an entry costs.
CREATE TABLE audit.entry (
    entry_id     uuid NOT NULL,
    log_id       uuid NOT NULL,
    recorded_at  timestamptz NOT NULL,
    occurred_at  timestamptz NOT NULL,
    txid         bigint NOT NULL,
    db_role      text NOT NULL,
    actor        text NOT NULL,
    actor_role   text NOT NULL,
    second_actor text,
    station      text,
    request_id   text,
    action       text NOT NULL,
    outcome      text NOT NULL,
    reason_code  text,
    subject_type text NOT NULL,
    subject_id   text NOT NULL,
    patient_ref  text,
    drug_code    text,
    rule_codes   text[],
    ruleset      bytea,
    engine       text,
    corrects_seq bigint,
    body_commit  bytea NOT NULL,
    body_kind    smallint NOT NULL,
    v            smallint NOT NULL,
    PRIMARY KEY (entry_id, recorded_at)
) PARTITION BY RANGE (recorded_at);

-- Everything identifying or clinical, and the salt that makes deleting it hide it.
CREATE TABLE audit.body (
    entry_id    uuid NOT NULL,
    recorded_at timestamptz NOT NULL,
    salt        bytea NOT NULL,
    body        text NOT NULL,
    key_id      uuid,
    PRIMARY KEY (entry_id, recorded_at)
) PARTITION BY RANGE (recorded_at);

-- The order of the log and level 0 of its tree. Never dropped, not even when old entries are retired.
CREATE TABLE audit.link (
    log_id      uuid NOT NULL,
    seq         bigint NOT NULL,
    entry_id    uuid NOT NULL UNIQUE,
    recorded_at timestamptz NOT NULL,
    leaf        bytea NOT NULL,
    PRIMARY KEY (log_id, seq)
);

CREATE TABLE audit.checkpoint (
    log_id     uuid NOT NULL REFERENCES audit.log,
    size       bigint NOT NULL CHECK (size >= 0),
    root       bytea NOT NULL CHECK (length(root) = 32),
    note       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    flush_lsn  pg_lsn,
    PRIMARY KEY (log_id, size)
);

CREATE TABLE audit.cosignature (
    log_id     uuid NOT NULL,
    size       bigint NOT NULL,
    witness    text NOT NULL,
    line       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (log_id, size, witness),
    FOREIGN KEY (log_id, size) REFERENCES audit.checkpoint
);

-- Where a checkpoint was sent, so that the age of the newest anchor can be told.
CREATE TABLE audit.delivery (
    delivery_id uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    log_id      uuid NOT NULL,
    size        bigint NOT NULL,
    channel     text NOT NULL CHECK (channel IN ('mail', 'print', 'folder')),
    target      text NOT NULL,
    at          timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    ok          boolean NOT NULL,
    detail      text,
    FOREIGN KEY (log_id, size) REFERENCES audit.checkpoint
);
CREATE INDEX delivery_newest ON audit.delivery (log_id, at DESC);

-- Which bodies were erased, and the entry that authorised it. Written by audit.erase() alone.
CREATE TABLE audit.erasure (
    entry_id         uuid PRIMARY KEY,
    recorded_at      timestamptz NOT NULL,
    erasure_entry_id uuid NOT NULL,
    at               timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);

-- Search: every documented filter has its index. They are few because each costs time on every insert, and ascending because
-- time is: a page that new keys are added to at its end is left full when it splits, and little of it goes to the WAL. Newest
-- first reads them backwards. The log comes first where a value may be common to many pharmacies.
CREATE INDEX entry_log ON audit.entry (log_id, recorded_at, entry_id);
CREATE INDEX entry_action ON audit.entry (log_id, action, recorded_at);
CREATE INDEX entry_actor ON audit.entry (log_id, actor, recorded_at);
CREATE INDEX entry_subject ON audit.entry (subject_id, recorded_at);
CREATE INDEX entry_patient ON audit.entry (patient_ref, recorded_at) WHERE patient_ref IS NOT NULL;
CREATE INDEX entry_drug ON audit.entry (drug_code, log_id, recorded_at) WHERE drug_code IS NOT NULL;
CREATE INDEX entry_request ON audit.entry (request_id) WHERE request_id IS NOT NULL;
-- The log stands among the codes, so that a rule of one pharmacy is found without reading everybody's.
CREATE INDEX entry_rules ON audit.entry USING gin (array_append(rule_codes, log_id::text))
    WITH (gin_pending_list_limit = 64) WHERE rule_codes IS NOT NULL;
