-- Counts for the review desk, made from the log and made again from it at will; no evidence. No patient and no words stand here, so
-- that an erasure has nothing to clear.
CREATE SCHEMA IF NOT EXISTS desk;

-- Findings of a day by rule and severity. `shown`: orders on which the rule was first shown. The others are answers that a hand-over
-- of the day used: of them with somebody asked, signed on a page, and signed there at once; reasons by code.
CREATE TABLE desk.rule_day (
    log_id   uuid NOT NULL,
    day      date NOT NULL,
    rule     text NOT NULL,
    severity text NOT NULL,
    shown    integer NOT NULL,
    answered integer NOT NULL,
    asked    integer NOT NULL,
    timed    integer NOT NULL,
    quick    integer NOT NULL,
    reasons  jsonb NOT NULL,
    PRIMARY KEY (log_id, day, rule, severity)
);

-- Overrides that a hand-over of the day used, by who signed them.
CREATE TABLE desk.person_day (
    log_id   uuid NOT NULL,
    day      date NOT NULL,
    actor    text NOT NULL,
    rule     text NOT NULL,
    answered integer NOT NULL,
    timed    integer NOT NULL,
    quick    integer NOT NULL,
    reasons  jsonb NOT NULL,
    PRIMARY KEY (log_id, day, actor, rule)
);

-- The entries that a day was counted from: their numbers, how many, and the SHA-256 over their leaves.
CREATE TABLE desk.made (
    log_id    uuid NOT NULL,
    day       date NOT NULL,
    first_seq bigint,
    last_seq  bigint,
    entries   integer NOT NULL,
    leaves    bytea NOT NULL,
    made_at   timestamptz NOT NULL,
    PRIMARY KEY (log_id, day)
);
