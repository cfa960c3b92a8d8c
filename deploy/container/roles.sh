#!/bin/sh
# Run once when a database is new: the four roles and the database, as deploy/OPERATING.md explains them. The database's container runs it
# with POSTGRES_USER; Patroni gives it an address as its argument.
set -eu
psql -v ON_ERROR_STOP=1 "${1:-user=$POSTGRES_USER}" -v owner="$OWNER_PASSWORD" -v app="$APP_PASSWORD" \
    -v sealer="$SEALER_PASSWORD" -v auditor="$AUDITOR_PASSWORD" <<'SQL'
CREATE ROLE dispensary_owner LOGIN PASSWORD :'owner';
CREATE ROLE dispensary_app LOGIN PASSWORD :'app';
CREATE ROLE dispensary_sealer LOGIN PASSWORD :'sealer';
CREATE ROLE dispensary_auditor LOGIN PASSWORD :'auditor';
-- For everybody, pooled or not: a pooler takes no start-up options, and the settings of a session do not hold behind it.
ALTER ROLE dispensary_app SET lock_timeout = '10s';
ALTER ROLE dispensary_app SET idle_in_transaction_session_timeout = '60s';
-- The signer may ask how far the standbys are (AUDIT_SEAL_STANDBYS).
GRANT pg_read_all_stats TO dispensary_sealer;
CREATE DATABASE dispensary OWNER dispensary_owner TEMPLATE template0 ENCODING 'UTF8';
\connect dispensary
GRANT USAGE ON SCHEMA public TO dispensary_app;
ALTER DEFAULT PRIVILEGES FOR ROLE dispensary_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO dispensary_app;
ALTER DEFAULT PRIVILEGES FOR ROLE dispensary_owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO dispensary_app;
SQL
