"""Relations of the hand-overs made before they were kept: as the rule book's table gives them at each hand-over."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import migrations
from django.utils import timezone

from baclofen_rules import InvalidCase
from baclofen_rules.checked import Fields
from baclofen_rules.order import Wordings
from baclofen_rules.record import read_record
from baclofen_rules.rulebook import rulebook
from baclofen_rules.therapy import HAND_OVER, How, Relation, therapy
from dispensary.errors import InvalidInput
from dispensary.profiles import profile_named
from dispensary.record import record_document
from dispensary.rows import Rows, group_orders, group_packs, order_id

REASON = "Supplies handed over before {day} overlap, and nobody said whether one replaces the other. Ask, and record it."


def freeze_relations(apps: Any, schema_editor: Any) -> None:
    """Settle each hand-over without a relation, patient by patient in order of time; open work where nobody can tell."""
    rows_of = {
        name: apps.get_model("dispensary", name).objects.using(schema_editor.connection.alias)
        for name in ("Patient", "WorklistItem", "Decision")
    }
    patients = rows_of["Patient"].filter(dispenses__relation="").distinct()
    now = timezone.now()
    for patient in patients.select_related("pharmacy").iterator():
        _record_stops(rows_of["Decision"], patient)
        if _settle(patient):
            today = now.astimezone(ZoneInfo(patient.pharmacy.time_zone)).date()
            rows_of["WorklistItem"].get_or_create(
                patient=patient,
                kind="relation-unknown",
                reminder=None,
                state="open",
                defaults={
                    "pharmacy": patient.pharmacy,
                    "reason": REASON.format(day=today),
                    "opened_at": now,
                    "due_by": now,
                },
            )


def _record_stops(decisions: Any, patient: Any) -> None:
    """Record a decision for each order that was stopped: until now its status alone said so."""
    zone = ZoneInfo(patient.pharmacy.time_zone)
    for row in patient.prescriptions.filter(status="stopped", dispenses__isnull=False).distinct():
        if not decisions.filter(kind="stopped", course=str(row.pk)).exists():
            decisions.create(
                patient=patient,
                kind="stopped",
                course=str(row.pk),
                on=row.ended_at.astimezone(zone).date(),
                words=row.ended_reason,
                decided_by="system:migration",
                decider_name="Migration",
                decided_at=row.ended_at,
            )


def _settle(patient: Any) -> bool:
    """Store the relation of each hand-over of a patient. Returns whether one of them is not known."""
    zone = ZoneInfo(patient.pharmacy.time_zone)
    orders = group_orders(patient.prescriptions.prefetch_related("phases"))
    dispenses = list(patient.dispenses.exclude(status="cancelled").order_by("handed_over_at", "pk"))
    packs = sorted(
        (moment for products in orders for moment in group_packs(products, dispenses)),
        key=lambda moment: moment[0].handed_over_at,
    )
    is_unknown = False
    for moment in packs:
        if moment[0].relation:
            continue
        on, at = moment[0].handed_over_at.astimezone(zone).date(), moment[0].handed_over_at
        relation = _relation_of(patient, orders, dispenses, moment, on, at)
        if relation is None:
            continue
        is_unknown = is_unknown or relation.relation is Relation.UNKNOWN
        for row in moment:
            row.relation, row.relation_how = relation.relation.value, How.MIGRATED.value
            row.relation_to = list(relation.to)
            row.save(update_fields=["relation", "relation_how", "relation_to"])
    return is_unknown


def _relation_of(patient: Any, orders: Any, dispenses: Iterable[Any], moment: Any, on: date, at: datetime) -> Any:  # noqa: PLR0917  (the rows of one patient, and the moment)
    """Return the relation of one hand-over as the table gives it; None where what is stored cannot be read."""
    zone = ZoneInfo(patient.pharmacy.time_zone)
    asked = next(products for products in orders if moment[0].prescription_id in {row.pk for row in products})
    rows = Rows(
        orders=[products for products in orders if products is asked or products[0].received_at <= at],
        dispenses=[row for row in dispenses if row.handed_over_at < at],
        prior_supplies=[row for row in patient.prior_supplies.all() if row.dispensed_on <= on],
        decisions=[row for row in patient.decisions.all() if row.decided_at <= at],
        has_come=lambda other: other <= at,
        local_day=lambda other: other.astimezone(zone).date(),
    )
    document = record_document(rows, on, asked[0].pk)
    name = order_id(asked)
    document["orders"] = [
        order | ({"status": "active"} if order["id"] == name else {}) for order in document["orders"]
    ]
    try:
        profile = profile_named(patient.pharmacy.profile, on)
        record = read_record(Fields(document, ""), on, Wordings())
    except (InvalidCase, InvalidInput):
        return None
    before = therapy(record.facts(on, rulebook(profile, profile.on or on).habits))
    counts = {row.prescription_id: row.quantity for row in moment}
    return before.with_hand_over(name, [counts.get(row.pk, 0) for row in asked]).relate_supply(HAND_OVER)


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0012_work_on_papers")]

    operations = [migrations.RunPython(freeze_relations, migrations.RunPython.noop)]
