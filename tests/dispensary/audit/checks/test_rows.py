"""Rows answer to the log: what the application's role may not change, what it changes only with an entry, what the owner changed."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.db import transaction

from dispensary.actions import (
    consent,
    corrections,
    dispenses,
    namesakes,
    order_states,
    patients,
    pharmacies,
    prescriptions,
    staff_alerts,
    tokens,
)
from dispensary.audit.checks.addresses import compare_addresses
from dispensary.audit.checks.reconcile import Kind, reconcile
from dispensary.audit.log import signed
from dispensary.audit.log.events import Event
from dispensary.models import (
    AccessToken,
    AlertKind,
    Answer,
    AnswerSource,
    Consent,
    ContactPoint,
    Dispense,
    StaffAlert,
    StaffRole,
)
from dispensary.models.contacts import ConsentAnswer, ConsentSource, Medium
from dispensary.models.patient import CorrectionReason, NamesakeAnswer
from dispensary.reminders import opt_outs, two_way
from tests.dispensary import make
from tests.site import Database

pytestmark = pytest.mark.django_db(transaction=True)


class Shop:
    """A pharmacy with an overridden hand-over, a decision and a consent, all committed."""

    def __init__(self) -> None:
        make.products()
        self.pharmacy = make.pharmacy()
        self.manager = make.staff(self.pharmacy, StaffRole.MANAGER)
        self.by = make.staff(self.pharmacy).actor()
        self.patient = patients.register(
            pharmacy=self.pharmacy, identifier="7", family_name="Doe", given_name="Sam",
            facts={**make.KNOWN_FACTS, "birth_date": "1980-02-03"}, by=self.by, now=make.NOW,
        )  # fmt: skip
        self.order = make.prescription(self.patient)
        done = dispenses.dispense(
            prescription=self.order, quantity=Decimal(42), pack=make.pack(), key="k1", by=self.by, now=make.NOW
        )
        assert isinstance(done, Dispense), done
        self.dispense = done
        self.rows: dict[str, Any] = {
            "dispense": done.pk, "review": done.review_id, "patient": self.patient.pk, "prescription": self.order.pk,
            "pharmacy": self.pharmacy.pk,
        }  # fmt: skip

    def changed(self) -> list[tuple[str, str]]:
        """Differences that the comparison finds in these rows: table and the words of each difference."""
        mine = {str(key) for key in self.rows.values()}
        return [
            (orphan.table, orphan.detail) for orphan in reconcile() if orphan.kind is Kind.CHANGED and orphan.id in mine
        ]


@pytest.fixture
def shop() -> Shop:
    return Shop()


EVENT_ROWS = {
    "quantity": ("dispense", "quantity = 28", "quantity is '28.000', the log says '42.000'"),
    "lot": ("dispense", "lot = 'X'", "lot is 'X', the log says"),
    "expiry": ("dispense", "expiry = '2031-01-01'", "expiry is '2031-01-01', the log says"),
    "who handed over": ("dispense", "dispensed_by = 'user:66'", "dispensed_by is 'user:66', the log says 'user:"),
    "the name": ("dispense", "dispenser_name = 'Mallory'", "dispenser_name is 'Mallory', the log says"),
    "the time": ("dispense", "prepared_at = '2026-01-01Z', handed_over_at = '2026-01-01Z'", "handed_over_at is '2026-01-01"),
    "outcome": ("review", "outcome = 'stop'", "outcome is 'stop', the log says"),
    "findings": ("review", "result_text = '{}'", "result_text is '{}', the log says"),
    "facts of the case": ("review", "case_text = '{}'", "case_text is '{}', the log says"),
    "directions": ("prescription", "directions = 'one'", "directions is 'one', the log says"),
    "strength": ("prescription", "strength_mg = 25", "strength_mg is '25.000', the log says '10.000'"),
}  # fmt: skip


@pytest.mark.parametrize("what", EVENT_ROWS)
def test_an_event_is_not_changed_by_the_application_and_named_when_the_owner_changes_it(
    shop: Shop, database: Database, what: str
) -> None:
    table, change, words = EVENT_ROWS[what]
    statement = f"UPDATE dispensary_{table} SET {change} WHERE id = %s"
    with (
        database.connect("app") as app,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="and stays"),
    ):
        app.execute(statement, [shop.rows[table]])
    with database.connect("app") as app, pytest.raises(psycopg.errors.InsufficientPrivilege, match="and stays"):
        app.execute(f"DELETE FROM dispensary_{table} WHERE id = %s", [shop.rows[table]])
    assert shop.changed() == []
    with database.connect("owner") as owner:
        owner.execute(statement, [shop.rows[table]])
    assert [words in detail for _, detail in shop.changed()] == [True], shop.changed()


@pytest.mark.parametrize("is_reinstated", [True, False])
def test_a_cancelled_order_is_open_again_only_by_an_entry(shop: Shop, database: Database, is_reinstated: bool) -> None:
    order = make.prescription(shop.patient)
    shop.rows["cancelled"] = order.pk
    prescriptions.cancel(prescription=order, reason="Too much", by=shop.by, now=make.NOW)
    assert shop.changed() == []
    if is_reinstated:
        order_states.reinstate(prescription=order, reason="Misread", by=shop.by, now=make.NOW)
    else:
        with database.connect("owner") as owner:
            owner.execute(
                "UPDATE dispensary_prescription SET status = 'active', ended_at = NULL WHERE id = %s", [order.pk]
            )
    words = "status is 'active', the log says prescription.cancelled"
    assert shop.changed() == ([] if is_reinstated else [("prescription", words)])


def test_an_entry_from_before_a_column_says_that_the_row_has_its_default(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    younger = ("opening_days", "second_signer", "second_signer_minutes", "separate_steps")
    with monkeypatch.context() as patched:
        columns = tuple(name for name in signed.PHARMACY if name not in younger)
        patched.setitem(signed.COLUMNS, Event.PHARMACY_OPENED, columns)
        pharmacy = make.pharmacy()

    def changed() -> list[str]:
        return [
            orphan.detail for orphan in reconcile() if orphan.kind is Kind.CHANGED and orphan.id == str(pharmacy.pk)
        ]

    assert changed() == []
    with database.connect("owner") as owner:
        statement = "UPDATE dispensary_pharmacy SET opening_days = '12345', second_signer = true WHERE id = %s"
        owner.execute(statement, [pharmacy.pk])
    assert changed() == [
        "opening_days is '12345', the log says '1234567'",
        "second_signer is 'true', the log says 'false'",
    ]


def test_a_pack_is_not_changed_by_the_application_and_named_when_the_owner_changes_it(
    shop: Shop, database: Database
) -> None:
    added = pharmacies.add_product(
        gtin="05012345678306", name="Baclofen 10 mg tablets", brand="", strength_mg=Decimal(10), pack_size=84,
        by=shop.by, now=make.NOW,
    )  # fmt: skip
    shop.rows["product"] = added.pk
    statement = "UPDATE dispensary_product SET strength_mg = 25 WHERE gtin = %s"
    with database.connect("app") as app, pytest.raises(psycopg.errors.InsufficientPrivilege, match="and stays"):
        app.execute(statement, [added.pk])
    assert shop.changed() == []
    with database.connect("owner") as owner:
        owner.execute(statement, [added.pk])
    assert shop.changed() == [("product", "strength_mg is '25.000', the log says '10.000'")]


@pytest.fixture
def phones(shop: Shop) -> list[ContactPoint]:
    """The telephone numbers of two patients."""
    return [
        consent.add_contact(patient=patient, medium=Medium.SMS, address=number, by=shop.by, now=make.NOW)
        for patient, number in ((shop.patient, "+447700900123"), (make.patient(shop.pharmacy), "+447700900456"))
    ]


def test_an_address_that_was_copied_over_another_is_named(
    shop: Shop, phones: list[ContactPoint], database: Database
) -> None:
    def misplaced() -> list[tuple[str, str]]:
        return [(orphan.id, orphan.detail) for orphan in compare_addresses() if orphan.id in map(str, keys)]

    keys = [phone.pk for phone in phones]
    assert misplaced() == []
    statement = "UPDATE dispensary_contactpoint c SET {} FROM dispensary_contactpoint o WHERE c.id = %s AND o.id = %s"
    with database.connect("app") as app:
        app.execute(statement.format("address = o.address"), keys)
    assert misplaced() == [(str(keys[0]), "address is not the one that was entered")]
    both = statement.format("address = o.address, address_digest = o.address_digest")
    with database.connect("app") as app, pytest.raises(psycopg.errors.InsufficientPrivilege, match="and stays"):
        app.execute(both, keys)
    with database.connect("owner") as owner:
        owner.execute(both, keys)
    shop.rows["phone"] = keys[0]
    assert misplaced() == []
    assert ["address_digest is " in detail for _, detail in shop.changed()] == [True]


def test_an_address_that_no_secret_of_the_site_opens_is_named(phones: list[ContactPoint], database: Database) -> None:
    with database.connect("app") as app:
        app.execute("UPDATE dispensary_contactpoint SET address = 'x' WHERE id = %s", [phones[0].pk])
    details = {orphan.id: orphan.detail for orphan in compare_addresses()}
    assert details[str(phones[0].pk)] == "address cannot be read with the secrets of this site"


MASTER_ROWS = {
    "birth date": ("patient", "birth_date = '1990-01-01'", "birth_date is '1990-01-01', the log says '1980-02-03'"),
    "name": ("patient", "family_name = 'Roe'", "family_name is 'Roe', the log says 'Doe'"),
    "an unknown fact": ("patient", "egfr_on = '2026-01-01'", "egfr_on is '2026-01-01', the log says ''"),
    "allergies": ("patient", "allergies = '[\"latex\"]'", "allergies is '[\"latex\"]', the log says '[]'"),
    "other medicines": ("patient", "medicines = NULL", "medicines is '', the log says '[]'"),
    "the day of a fact": ("patient", "recorded_on = recorded_on - 'dialysis'", "recorded_on is "),
    "a fact": ("patient", "dialysis = true", "dialysis is 'true', the log says 'false'"),
}  # fmt: skip


@pytest.mark.parametrize("what", MASTER_ROWS)
def test_master_data_changes_only_with_an_entry_and_is_named_when_the_owner_changes_it(
    shop: Shop, database: Database, what: str
) -> None:
    table, change, words = MASTER_ROWS[what]
    statement = f"UPDATE dispensary_{table} SET {change} WHERE id = %s"
    with database.connect("app") as app, pytest.raises(psycopg.errors.InsufficientPrivilege, match="without an entry"):
        app.execute(statement, [shop.rows[table]])
    with database.connect("owner") as owner:
        owner.execute(statement, [shop.rows[table]])
    assert [words in detail for _, detail in shop.changed()] == [True], shop.changed()


def review_with_a_finding(shop: Shop) -> Any:
    """The review of an order for somebody who drinks."""
    order = make.prescription(make.patient(shop.pharmacy, alcohol_use=True))
    return order.reviews.get().pk


PARTS = {
    "a finding's severity": ("finding", "review", "severity = 'information'", "severity is 'information', the log says"),
    "a finding's words": ("finding", "review", "summary = 'fine'", "summary is 'fine', the log says"),
    "a finding's sum": ("finding", "review", "detail = ''", "detail is '', the log says"),
    "a dose": ("phase", "prescription", "doses = '{50,50,50}'", "phase 1: doses is '{50.000000,50.000000,50.000000}', the log says '{5.0"),
    "days of a dose": ("phase", "prescription", "days = NULL", "phase 1: days is '', the log says '28'"),
}  # fmt: skip


@pytest.mark.parametrize("what", PARTS)
def test_a_finding_and_a_dose_that_the_owner_changes_are_named(shop: Shop, database: Database, what: str) -> None:
    table, parent, change, words = PARTS[what]
    shop.rows["review"] = review_with_a_finding(shop)
    assert shop.changed() == []
    with database.connect("owner") as owner:
        owner.execute(
            f"UPDATE dispensary_{table} SET {change} WHERE {parent}_id = %s AND number = 1", [shop.rows[parent]]
        )
    assert [words in detail for _, detail in shop.changed()] == [True], shop.changed()


@pytest.mark.parametrize("table", ["finding", "phase"])
def test_a_finding_or_dose_that_is_gone_or_put_in_is_named(shop: Shop, database: Database, table: str) -> None:
    parent = {"finding": "review", "phase": "prescription"}[table]
    shop.rows["review"] = review_with_a_finding(shop)
    with database.connect("owner") as owner:
        owner.execute(
            f"UPDATE dispensary_{table} SET number = 9 WHERE {parent}_id = %s AND number = 1", [shop.rows[parent]]
        )
    details = [detail for _, detail in shop.changed()]
    assert any(f"{table} 1: " in detail and "is 'no row'" in detail for detail in details)
    assert any(f"{table} 9: " in detail and "the log says 'nothing'" in detail for detail in details)


def test_an_entry_that_says_something_else_does_not_let_a_change_through(shop: Shop, database: Database) -> None:
    body = '{"row":{"family_name":"Foe"}}'
    with database.connect("app", autocommit=False) as app:
        app.execute("UPDATE dispensary_patient SET family_name = 'Roe' WHERE id = %s", [shop.patient.pk])
        app.execute(
            "SELECT audit.append(%s, 'o', 'patient.changed', 'success', 'user:1', 'pharmacist', now(), 'patient', %s, %s)",
            [shop.pharmacy.pk, str(shop.patient.pk), body],
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="without an entry"):
            app.commit()


@pytest.mark.parametrize(
    "change",
    [
        "staffmember SET role = 'technician'",
        "staffmember SET display_name = 'Mallory'",
        "pharmacy SET profile = 'uk-smpc'",
    ],
)
def test_a_role_and_a_profile_change_only_with_an_entry(shop: Shop, database: Database, change: str) -> None:
    key = shop.manager.pk if "staff" in change else shop.pharmacy.pk
    with database.connect("app") as app, pytest.raises(psycopg.errors.InsufficientPrivilege, match="without an entry"):
        app.execute(f"UPDATE dispensary_{change} WHERE id = %s", [key])


def test_what_the_actions_change_agrees(shop: Shop) -> None:
    """Corrections, facts, a death, a join, settings, access: each by its action, then compared."""
    manager = make.staff(shop.pharmacy, StaffRole.MANAGER).actor()
    corrections.correct_identity(
        patient=shop.patient, changes={"family_name": "Dow", "birth_date": "1981-02-03"},
        reason=CorrectionReason.RECORDED_WRONGLY, words="", by=shop.by, now=make.NOW,
    )  # fmt: skip
    patients.update_facts(
        patient=shop.patient, changes={"weight_kg": "71.5", "dialysis": True, "medicines": [{"name": "Tizanidine"}]},
        language="ar", by=shop.by, now=make.NOW,
    )  # fmt: skip
    patients.update_facts(
        patient=shop.patient, changes={"allergies": ["pe\u0301nicilline"], "conditions": ["epilepsy"]}, by=shop.by,
        now=make.NOW,
    )  # fmt: skip
    pharmacies.change_settings(
        pharmacy=shop.pharmacy, changes={"profile": "uk-smpc", "quiet_from": "21:00"}, by=manager, now=make.NOW
    )
    pharmacies.grant_access(
        user=shop.manager.user,
        pharmacy=shop.pharmacy,
        role=StaffRole.AUDITOR,
        display_name="Ann",
        by=manager,
        now=make.NOW,
    )
    shop.rows["staff"] = shop.manager.pk
    other = patients.register(
        pharmacy=shop.pharmacy, identifier="8", family_name="Dow", given_name="Sam", facts={"birth_date": "1981-02-03"},
        by=shop.by, now=make.NOW,
    )  # fmt: skip
    shop.rows["other"] = other.pk
    namesakes.answer_namesake(
        patient=shop.patient, other=other.pk, answer=NamesakeAnswer.SAME, by=shop.by, now=make.NOW
    )
    assert shop.changed() == []


def test_a_consent_that_is_not_what_the_patient_said_is_named(shop: Shop, database: Database) -> None:
    with transaction.atomic():
        event = opt_outs.record_consent(
            shop.patient, Medium.EMAIL, ConsentAnswer.NO, ConsentSource.COUNTER, "said so", shop.by, make.NOW
        )
    consent = Consent.objects.get(event=event)
    shop.rows |= {"event": event.pk, "consent": consent.pk}
    assert shop.changed() == []
    with database.connect("app") as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("UPDATE dispensary_consentevent SET answer = 'yes' WHERE id = %s", [event.pk])
    with database.connect("app") as app:
        app.execute("UPDATE dispensary_consent SET answer = 'yes' WHERE id = %s", [consent.pk])
    assert shop.changed() == [("consent", "answer is 'yes', its event says 'no'")]


@pytest.fixture
def younger(shop: Shop) -> dict[str, Any]:
    """A supply from elsewhere, an answer of the patient, an answered alert and an access token, by table."""
    (supply,) = patients.record_history(
        patient=shop.patient,
        supplies=[
            {
                "dispensed_on": "2026-10-01",
                "doses": ["10", "10"],
                "strength_mg": "10",
                "days_supply": 28,
                "relation": "same-course",
            }
        ],
        by=shop.by,
        now=make.NOW,
    )
    with transaction.atomic():
        answered = two_way.record_answer(
            patient=shop.patient, answer=Answer.UNWELL, reminder=None, source=AnswerSource.PAGE, now=make.NOW
        )
        staff_alerts.open_alert(
            kind=AlertKind.VERIFICATION, pharmacy=shop.pharmacy, subject_id="17", by=shop.by, now=make.NOW
        )
    alert = StaffAlert.objects.get(pharmacy=shop.pharmacy)
    staff_alerts.answer(alert_id=alert.pk, words="Looked into it.", by=shop.by, now=make.NOW)
    tokens.issue(user=shop.manager.user, now=make.NOW)
    token = AccessToken.objects.get(user=shop.manager.user)
    return {"priorsupply": supply.pk, "patientanswer": answered.pk, "staffalert": alert.pk, "accesstoken": token.pk}


def named(younger: dict[str, Any], table: str) -> list[str]:
    """What the comparison says about a row of these, and about entries of the patient that have none."""
    name = str(apps.get_model("dispensary", table)._meta.verbose_name)
    return [
        f"{orphan.kind.value}: {orphan.detail}".removesuffix(": ")
        for orphan in reconcile()
        if orphan.table == name and orphan.id in (str(younger[table]), str(younger.get("patient")))
    ]


YOUNGER = {
    "days that a supply lasts": ("priorsupply", "days_supply = 56", [Kind.NO_ENTRY, Kind.NO_ROW]),
    "strength of a supply": ("priorsupply", "strength_mg = 25", [Kind.NO_ENTRY, Kind.NO_ROW]),
    "what a patient answered": ("patientanswer", "answer = 'well'", ["answer is 'well', the log says 'unwell'"]),
    "the alert's cause": ("staffalert", "subject_id = '18'", ["subject_id is '18', the log says '17'"]),
}
"""Change -> table, what it sets, what is said of it."""


@pytest.mark.parametrize("change", YOUNGER)
def test_a_supply_an_answer_and_an_alert_stay_as_they_were_written(
    shop: Shop, younger: dict[str, Any], database: Database, change: str
) -> None:
    table, values, expected_findings = YOUNGER[change]
    younger["patient"] = shop.patient.pk
    assert named(younger, table) == []
    for statement in (f"UPDATE dispensary_{table} SET {values}", f"DELETE FROM dispensary_{table}"):
        with database.connect("app") as app, pytest.raises(psycopg.errors.InsufficientPrivilege, match="and stays"):
            app.execute(f"{statement} WHERE id = %s", [younger[table]])
    with database.connect("owner") as owner:
        owner.execute(f"UPDATE dispensary_{table} SET {values} WHERE id = %s", [younger[table]])
    sentences = [getattr(words, "value", f"row and entry say different things: {words}") for words in expected_findings]
    assert named(younger, table) == sentences


@pytest.mark.parametrize(
    ("table", "values", "words"),
    [
        ("staffalert", "words = 'Nothing.'", "words is 'Nothing.', the log says 'Looked into it.'"),
        ("staffalert", "answered_by = 'user:66'", "answered_by is 'user:66', the log says"),
        ("staffalert", "answered_at = NULL", "entry without row"),
        ("accesstoken", "expires_at = expires_at + interval '1 year'", "row without entry"),
        ("accesstoken", "scopes = '{read}'", "row without entry"),
        ("accesstoken", "user_id = (SELECT max(id) FROM auth_user)", "row without entry"),
    ],
)
def test_who_answered_an_alert_and_what_a_token_gives_are_compared_with_the_log(
    shop: Shop, younger: dict[str, Any], database: Database, table: str, values: str, words: str
) -> None:
    make.staff(shop.pharmacy)
    assert named(younger, table) == []
    with database.connect("app") as app:
        app.execute(f"UPDATE dispensary_{table} SET {values} WHERE id = %s", [younger[table]])
    assert any(words in line for line in named(younger, table))


def test_an_alert_that_nobody_answered_in_the_log_is_named(shop: Shop, database: Database) -> None:
    with transaction.atomic():
        staff_alerts.open_alert(
            kind=AlertKind.OVERRIDE, pharmacy=shop.pharmacy, subject_id="19", by=shop.by, now=make.NOW
        )
    alert = StaffAlert.objects.get(pharmacy=shop.pharmacy)
    with database.connect("app") as app:
        app.execute("UPDATE dispensary_staffalert SET answered_at = now(), words = 'ok' WHERE id = %s", [alert.pk])
    assert named({"staffalert": alert.pk}, "staffalert") == [Kind.NO_ENTRY.value]


def test_a_supply_of_a_joined_record_agrees(shop: Shop, younger: dict[str, Any]) -> None:
    other = patients.register(
        pharmacy=shop.pharmacy, identifier="8", family_name="Doe", given_name="Sam", facts={}, by=shop.by, now=make.NOW
    )
    (supply,) = patients.record_history(
        patient=other, supplies=[{"dispensed_on": "2026-09-01", "doses": ["5"], "days_supply": 7, "relation": "same-course"}], by=shop.by, now=make.NOW
    )  # fmt: skip
    namesakes.answer_namesake(
        patient=shop.patient, other=other.pk, answer=NamesakeAnswer.SAME, words="asked her", by=shop.by, now=make.NOW
    )
    supply.refresh_from_db()
    assert supply.patient == shop.patient
    assert named({"priorsupply": supply.pk, "patient": other.pk}, "priorsupply") == []


def test_the_guards_name_every_column_of_the_tables(database: Database, db: None) -> None:
    """A column that a later migration adds is either guarded or named as open."""
    from importlib import import_module

    migration: Any = import_module("dispensary.migrations.0016_log_answers_for_itself")
    with database.connect("owner") as owner:
        opened_since = {"prescription": ("awaiting", "awaiting_since", "changed_at")}
        for table, first_open in migration.OPEN.items():
            open_columns = {*first_open, *opened_since.get(table, ())}
            row = owner.execute(
                "SELECT pg_get_triggerdef(oid), tgenabled::text FROM pg_trigger WHERE tgname = 'signed' AND tgrelid = %s::regclass",
                [f"dispensary_{table}"],
            ).fetchone()
            assert row is not None
            assert row[1] == "A"
            columns = {field.column for field in apps.get_model("dispensary", table)._meta.local_concrete_fields}
            assert {name for name in columns if not re.search(rf'\bold\."?{name}\b', row[0])} == open_columns, table


UNSIGNED = {
    "patient": {"id", "pharmacy_id", "facts_at", "version", "changed_at"},
    "staffmember": {"id"},
    "pharmacy": {"id", "opened_at", "version", "timing_version"},
}
"""Columns of master data that may change without an entry."""


def test_every_column_of_master_data_changes_only_with_an_entry_or_is_named_here(database: Database, db: None) -> None:
    """The guards are those of the database: what the newest migration of each table said to `audit.sign_master`."""
    assert {
        table: {field.column for field in apps.get_model("dispensary", table)._meta.local_concrete_fields} - {*columns}
        for table, columns in signed.GUARDED.items()
    } == UNSIGNED
    with database.connect("owner") as owner:
        triggers = owner.execute(
            "SELECT tgrelid::regclass::text, pg_get_triggerdef(oid), tgenabled::text FROM pg_trigger "
            "WHERE tgname = 'signed' AND tgfoid = 'audit.require_entry'::regproc"
        ).fetchall()
    unguarded = {table: sorted(columns) for table, columns in signed.GUARDED.items()}
    for table, definition, enabled in triggers:
        assert enabled == "A"
        condition, _, call = definition.partition(" EXECUTE FUNCTION ")
        compared = set(re.findall(r'\bold\."?(\w+)', condition, re.I)) & set(re.findall(r"'(\w+)'", call))
        name = table.removeprefix("dispensary_")
        unguarded[name] = sorted(set(signed.GUARDED[name]) ^ compared)
    assert unguarded == {table: [] for table in signed.GUARDED}, (
        "the migration that adds a column needs `SELECT audit.sign_master(...)`: dispensary/models/README.md"
    )
