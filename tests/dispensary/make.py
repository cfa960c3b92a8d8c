"""People and orders for tests, made through the actions.

A test has one clock. One that passes the time itself has the fixed moment `NOW`; one that goes through an interface, which asks the machine, has
the machine's (fixture `machine_clock`). Everything here that is given no `now` takes that of the test, `moment()`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.sql import UpdateQuery
from psycopg import ClientCursor

from baclofen_rules.facts import NOTHING_TO_FIND
from dispensary.actions import dispenses, patients, pharmacies, prescribers, prescriptions
from dispensary.actions.decisions import check_answers
from dispensary.actors import Actor
from dispensary.assessment import assess
from dispensary.models import (
    DecisionKind,
    Dispense,
    Patient,
    Pharmacy,
    Prescriber,
    Prescription,
    Product,
    SignatureMethod,
    Source,
    StaffMember,
    StaffRole,
)
from dispensary.scanning import Pack

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
"""The fixed moment of a test that passes the time itself."""

PASSWORD = "correct horse battery staple"
TEN_MG = "05012345678900"
TWENTY_FIVE_MG = "05012345678917"

_numbers = itertools.count(1)

KNOWN_FACTS: dict[str, Any] = {
    "birth_date": "1981-05-02",
    "sex": "female",
    "weight_kg": Decimal(70),
    "egfr": Decimal(95),
    **NOTHING_TO_FIND,
}
"""A patient about whom everything is known and nothing is found."""

CLEAN_ORDER: dict[str, Any] = {
    "written_on": str(NOW.date() - timedelta(days=2)),
    "route": "oral",
    "form": "tablet",
    "strength_mg": 10,
    "phases": [{"dose": 5, "unit": "mg", "times_per_day": 3, "days": 28}],
    "then_stop": False,
    "directions": "5 mg three times a day for 28 days",
    "quantity": 42,
    "repeats": 0,
}
"""A new start that the rules let pass: 5 mg x 3 = 15 mg a day, half a 10 mg tablet each time, 28 days, 42 tablets."""


def moment() -> datetime:
    """Return the present moment by the test's clock: `NOW`, unless the fixture `machine_clock` says otherwise."""
    return NOW


def pack_expiry() -> date:
    """Return an expiry date that no supply made now outlasts; 31 March 2028 for `NOW`."""
    return moment().date() + timedelta(days=495)


def pharmacy(name: str = "Harbour Pharmacy", now: datetime | None = None, **settings: Any) -> Pharmacy:
    """A pharmacy with its log."""
    lines = {"address": "12 Mill Lane", "phone": "01865 496 000"}
    return pharmacies.open_pharmacy(
        name=name, settings={"time_zone": "Europe/London", **lines, **settings}, now=now or moment()
    )


def staff(at: Pharmacy, role: StaffRole = StaffRole.PHARMACIST, now: datetime | None = None) -> StaffMember:
    """A user with a role, who signs in with `PASSWORD`."""
    number = next(_numbers)
    user = get_user_model().objects.create_user(username=f"{role.value}{number}", password=PASSWORD)
    return pharmacies.grant_access(
        user=user,
        pharmacy=at,
        role=role,
        display_name=f"{role.label} {number}",
        by=Actor.system("setup", at.pk),
        now=now or moment(),
    )


def patient(at: Pharmacy, by: Actor | None = None, now: datetime | None = None, **changes: Any) -> Patient:
    """A patient about whom everything is known; name what should differ. A fact given as None is unknown."""
    who = {"family_name": "Okafor", "given_name": "Ada", "identifier": f"P{next(_numbers):05}"}
    who |= {
        name: changes.pop(name)
        for name in list(changes)
        if name in {*who, "identifier_system", "language", "time_zone"}
    }
    by = by or Actor.system("setup", at.pk)
    return patients.register(pharmacy=at, **who, facts=KNOWN_FACTS | changes, by=by, now=now or moment())


def prescriber(
    at: Pharmacy, now: datetime | None = None, identifier: str = "C1234567", name: str = "Dr Grace Mwangi"
) -> Prescriber:
    """The prescriber of everything, unless another is named."""
    return prescribers.register_prescriber(
        pharmacy=at,
        identifier=identifier,
        name=name,
        phone="+442079460000",
        by=Actor.system("setup", at.pk),
        now=now or moment(),
    )


def products() -> tuple[Product, Product]:
    """The two packs on the shelf: 10 mg and 25 mg."""
    return tuple(  # type: ignore[return-value]  # two in, two out
        Product.objects.get_or_create(
            gtin=gtin,
            defaults={
                "name": f"Lioresal {mg} mg tablets",
                "brand": "Lioresal",
                "strength_mg": Decimal(mg),
                "pack_size": 50,
            },
        )[0]
        for gtin, mg in ((TEN_MG, 10), (TWENTY_FIVE_MG, 25))
    )


def product(gtin: str, mg: int, **changes: Any) -> Product:
    """A pack of another strength on the shelf."""
    fields = {"name": f"Lioresal {mg} mg tablets", "brand": "Lioresal", "strength_mg": Decimal(mg), "pack_size": 50}
    return Product.objects.create(gtin=gtin, **(fields | changes))


def prescription(
    of: Patient,
    now: datetime | None = None,
    by: Actor | None = None,
    ordered_by: Prescriber | None = None,
    replaces: Prescription | None = None,
    **changes: Any,
) -> Prescription:
    """An order taken in; by default one that the rules let pass, written two days ago."""
    now = now or moment()
    order = CLEAN_ORDER | {"written_on": str(now.date() - timedelta(days=2))} | changes
    return prescriptions.receive(
        pharmacy=of.pharmacy,
        patient=of,
        prescriber=ordered_by or prescriber(of.pharmacy, now),
        order=order,
        source=Source.CASE,
        document={"prescription": "as it came"},
        replaces=replaces,
        by=by or Actor.system("setup", of.pharmacy_id),
        now=now,
    ).prescription


def hand_over(
    order: Prescription,
    by: Actor,
    now: datetime | None = None,
    quantity: Decimal | None = None,
    gtin: str = TEN_MG,
    decisions: Sequence[dispenses.Decided] = (),
) -> Dispense:
    """The ordered quantity handed over, with an answer to whatever the rules ask.

    Where nobody knows how it stands to what runs, and no decision says it, it is taken beside that.
    """
    now = now or moment()
    assessment = assess(order, on=order.pharmacy.local_day(now), quantity=quantity)
    relation = assessment.therapy.relate(str(assessment.ask.order))
    if relation is not None and relation.relation == "unknown" and not decisions:
        kind, words = DecisionKind.BESIDE, "Both are meant."
        decisions = [dispenses.Decided(kind, course, words=words, mitigation="5") for course in relation.to]
    if decisions:
        rows = check_answers(decisions, prescription=order, assessment=assessment, by=by, now=now)
        assessment = assess(order, on=order.pharmacy.local_day(now), quantity=quantity, decisions=rows)
    questions = assessment.questions()
    result = dispenses.dispense(
        prescription=order,
        quantity=order.quantity if quantity is None else quantity,
        pack=pack(gtin),
        overrides=[
            dispenses.Answer(
                question.code,
                "5",
                "Agreed.",
                asked="Dr Grace Mwangi",
                asked_at=now,
                agreed="To go on",
                signature=SignatureMethod.PASSWORD,
            )
            for question in questions
            if question.severity == "override"
        ],
        acknowledged=[question.code for question in questions if question.severity == "acknowledge"],
        decisions=decisions,
        key=f"key-{next(_numbers)}",
        by=by,
        now=now,
    )
    assert isinstance(result, Dispense), result
    return result


def pack(gtin: str = TEN_MG, **changes: Any) -> Pack:
    """A pack in date, as the scan read it."""
    return Pack(**({"gtin": gtin, "lot": "A1B2", "expiry": pack_expiry(), "serial": ""} | changes))


def change_past_actions(rows: QuerySet[Any], **changes: Any) -> None:
    """Change rows as no action does: as the owner of the tables, in the open transaction."""
    query = rows.query.chain(UpdateQuery)
    query.add_update_values(changes)
    run_as_owner(*query.get_compiler("default").as_sql())


def save_past_actions(row: Model, *names: str) -> None:
    """Save these fields of a row as no action does."""
    rows = type(row)._default_manager.filter(pk=row.pk)
    change_past_actions(rows, **{name: getattr(row, name) for name in names})


def let_rows_change(table: str) -> None:
    """Take the guard from a table's rows, until the open transaction is rolled back."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    run_as_owner(f"ALTER TABLE {table} DISABLE TRIGGER signed", [])


def run_as_owner(statement: str, values: Any) -> None:
    with connection.cursor() as cursor:
        text = ClientCursor(connection.connection).mogrify(statement, values)
        cursor.execute("SELECT public.as_owner(%s)", [text])
