"""One header, two authors: the SQL function and the Python one give the same bytes for whatever a row can hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import rfc8785
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from psycopg.rows import dict_row

from dispensary.audit.evidence import verify
from dispensary.audit.log import canonical
from tests.examples import examples
from tests.site import Database

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40)
maybe = st.none() | text
moments = st.datetimes(dt.datetime(1901, 1, 1), dt.datetime(9998, 12, 31), timezones=st.just(dt.UTC))
rows = st.fixed_dictionaries(
    {
        "entry_id": st.uuids(),
        "log_id": st.uuids(),
        "recorded_at": moments,
        "occurred_at": moments,
        "txid": st.integers(0, canonical.MAX_INTEGER),
        "db_role": text,
        "actor": text,
        "actor_role": text,
        "second_actor": maybe,
        "station": maybe,
        "request_id": maybe,
        "action": text,
        "outcome": text,
        "reason_code": maybe,
        "subject_type": text,
        "subject_id": text,
        "patient_ref": maybe,
        "drug_code": maybe,
        "rule_codes": st.none() | st.lists(text, min_size=1, max_size=4),
        "ruleset": st.none() | st.binary(min_size=32, max_size=32),
        "engine": maybe,
        "corrects_seq": st.none() | st.integers(1, canonical.MAX_INTEGER),
        "body_commit": st.binary(min_size=32, max_size=32),
        "body_kind": st.just(1),
        "v": st.just(1),
    }
)
ASK = """
    WITH e AS (SELECT * FROM (SELECT %(entry_id)s::uuid, %(log_id)s::uuid, %(recorded_at)s::timestamptz,
        %(occurred_at)s::timestamptz, %(txid)s::bigint, %(db_role)s::text, %(actor)s::text, %(actor_role)s::text,
        %(second_actor)s::text, %(station)s::text, %(request_id)s::text, %(action)s::text, %(outcome)s::text,
        %(reason_code)s::text, %(subject_type)s::text, %(subject_id)s::text, %(patient_ref)s::text, %(drug_code)s::text,
        %(rule_codes)s::text[], %(ruleset)s::bytea, %(engine)s::text, %(corrects_seq)s::bigint, %(body_commit)s::bytea,
        %(body_kind)s::smallint, %(v)s::smallint) AS x)
    SELECT audit.header(e::audit.entry, %(seq)s::bigint, %(prev)s::bytea) AS header,
           audit.leaf(audit.header(e::audit.entry, %(seq)s::bigint, %(prev)s::bytea)) AS leaf FROM e"""


@pytest.fixture(scope="module")
def database_as_owner(django_db_setup: None, database: Database) -> Iterator[psycopg.Connection[Any]]:
    with database.connect("owner") as connection:
        connection.row_factory = dict_row
        yield connection


@examples(400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=rows, seq=st.integers(1, canonical.MAX_INTEGER), prev=st.binary(min_size=32, max_size=32))
def test_sql_and_python_and_rfc_8785_give_the_same_header(
    database_as_owner: psycopg.Connection[Any], row: dict[str, Any], seq: int, prev: bytes
) -> None:
    sql_row = database_as_owner.execute(ASK, {**row, "seq": seq, "prev": prev}).fetchone()
    assert sql_row is not None
    python = canonical.header(row, seq=seq, prev=prev)
    assert sql_row["header"] == python
    assert bytes(sql_row["leaf"]) == canonical.leaf(python)
    assert rfc8785.dumps(verify.read_canonical(python)) == python.encode()


@given(salt=st.binary(min_size=32, max_size=32), body=text)
@examples(100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sql_and_python_commit_to_a_body_alike(
    database_as_owner: psycopg.Connection[Any], salt: bytes, body: str
) -> None:
    sql_row = database_as_owner.execute("SELECT audit.body_commitment(%s::bytea, %s) AS it", [salt, body]).fetchone()
    assert sql_row is not None
    assert bytes(sql_row["it"]) == canonical.body_commitment(salt, body)


@given(log=st.uuids(), note=st.none() | text)
@examples(50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sql_and_python_begin_a_log_alike(
    database_as_owner: psycopg.Connection[Any], log: Any, note: str | None
) -> None:
    sql_row = database_as_owner.execute("SELECT audit.genesis(%s, %s::text) AS it", [log, note]).fetchone()
    assert sql_row is not None
    assert bytes(sql_row["it"]) == canonical.genesis(log, note or "")


@pytest.mark.parametrize(
    "setting",
    [
        "timezone = 'America/St_Johns'",
        "timezone = 'Asia/Kathmandu'",
        "datestyle = 'German, DMY'",
        "intervalstyle = 'iso_8601'",
        "bytea_output = 'escape'",
        "standard_conforming_strings = off",
        "extra_float_digits = -15",
        "lc_time = 'C'",
        "search_path = public",
        "quote_all_identifiers = on",
        "xmloption = document",
    ],
)
def test_no_setting_of_a_session_changes_the_header(database_as_owner: psycopg.Connection[Any], setting: str) -> None:
    given_row = {
        **dict.fromkeys(["second_actor", "station", "request_id", "reason_code", "drug_code", "engine", "corrects_seq"]),
        "entry_id": "01a20157-1468-7904-9228-bdd1cc96e9a8",
        "log_id": "8eae9496-1e71-46f7-a02b-100233245883",
        # one hour after the clocks of Europe went back
        "recorded_at": dt.datetime(2026, 10, 25, 1, 30, 0, 1, tzinfo=dt.UTC),
        "occurred_at": dt.datetime(2026, 3, 29, 1, 0, tzinfo=dt.UTC),
        "txid": 7, "db_role": "app", "actor": "user:1", "actor_role": "pharmacist", "action": "a\\b\"c'd",
        "outcome": "success", "subject_type": "x", "subject_id": "1", "patient_ref": "\u2028é\U0001f600",
        "rule_codes": ["a,b", "{c}"], "ruleset": b"\x00" * 32, "body_commit": b"\\" * 32, "body_kind": 1, "v": 1,
        "seq": 1, "prev": b"\xff" * 32,
    }  # fmt: skip
    before = database_as_owner.execute(ASK, given_row).fetchone()
    with database_as_owner.transaction(force_rollback=True):
        database_as_owner.execute(f"SET LOCAL {setting}")
        assert database_as_owner.execute(ASK, given_row, binary=True).fetchone() == before
