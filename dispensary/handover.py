"""The printed content of a dispense: values of its label and calendar, from its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from django.db.models import QuerySet

from baclofen_rules.text import format_amount
from baclofen_rules.therapy import HAND_OVER, DayStretch, Therapy
from dispensary import audit
from dispensary.assessment import HandedOver, handed_over
from dispensary.documents import Course, DoesNotFit, Handover, PharmacyLines, Receipt, Stretch, label_pdf
from dispensary.documents.words import NB, mg
from dispensary.models import Dispense, Prescription, Product
from dispensary.models.keys import short_key

WARNINGS = (
    "May make you sleepy: do not drive or use machines. No alcohol.",
    "Do not stop suddenly: only as your prescriber tells you.",
)


LONGEST_RECEIPT = Receipt(999_999_999, "f" * 64)
"""The receipt that a label is tried with before the log has written one."""


def order_number(prescription: Prescription) -> str:
    """Return the number printed on an order's label."""
    return short_key(prescription.pk).upper()


def select_dispenses() -> QuerySet[Dispense]:
    """Return dispenses with the rows that their pages and documents read."""
    return Dispense.objects.select_related(
        "patient__pharmacy", "prescription__pharmacy", "prescription__patient", "pharmacy", "product", "review"
    ).prefetch_related("prescription__phases")


def printed_handover(dispense: Dispense) -> Handover:
    """Return the values that are printed. Raises DoesNotFit for directions that no label can hold."""
    receipt = log_receipt(dispense)
    made = handed_over(dispense)
    calendar = _calendar_of(made)
    names = [tablet_name(row) for row in made.dispenses]
    return replace(
        _label_values(dispense, _label_of(made, dispense), names),
        receipt=Receipt(receipt.seq, receipt.leaf.hex()) if receipt else None,
        calendar=calendar,
        calendar_tablets=" and ".join(names) if len(names) > 1 else "",
    )


def try_labels(dispenses: Sequence[Dispense], therapy: Therapy) -> None:
    """Typeset the labels of packs that would be handed over together, not stored yet, as the hand-over in question.

    `therapy` is that after the hand-over. Raises DoesNotFit for what no label can hold.
    """
    plan = next(order.plan for order in therapy.facts.orders if order.id == _order_in_question(therapy))
    names = [tablet_name(row) for row in dispenses]
    for row in dispenses:
        strengths = list(plan.strengths)
        ordered = row.prescription.strength_mg
        index = strengths.index(ordered) if ordered in strengths else 0
        values = _label_values(row, build_course(therapy, HAND_OVER, index, row.strength_mg), names)
        label_pdf(replace(values, receipt=LONGEST_RECEIPT))


def _order_in_question(therapy: Therapy) -> str | None:
    return next(supply.order for supply in therapy.facts.supplies if supply.id == HAND_OVER)


def _label_values(dispense: Dispense, course: Course, names: Sequence[str]) -> Handover:
    return Handover(
        medicine=medicine_name(dispense),
        strength_mg=dispense.strength_mg,
        quantity=dispense.quantity,
        course=course,
        patient_name=dispense.patient.name_on_papers,
        dispensed_on=dispense.pharmacy.local_day(dispense.handed_over_at),
        number=order_number(dispense.prescription),
        pharmacy=PharmacyLines(dispense.pharmacy.name, dispense.pharmacy.address, dispense.pharmacy.phone),
        warnings=WARNINGS,
        receipt=None,
        born_on=dispense.patient.birth_date,
        together_with=tuple(name for name in names if name != tablet_name(dispense)),
    )


def medicine_name(dispense: Dispense) -> str:
    """Return the name on the pack, without strength: `Lioresal`; of packs of several brands `Lioresal / Baclofen`."""
    gtins = [pack["gtin"] for pack in dispense.further_packs]
    further = Product.objects.in_bulk(gtins) if gtins else {}
    products = [dispense.product, *(further[gtin] for gtin in gtins if gtin in further)]
    return " / ".join(dict.fromkeys(_name_on_pack(product) for product in products))


def _name_on_pack(product: Product | None) -> str:
    return "Baclofen" if product is None else product.brand or product.ingredient.capitalize()


def tablet_name(dispense: Dispense) -> str:
    """Return the tablets of a pack in words."""
    return f"{medicine_name(dispense)}{NB}{mg(dispense.strength_mg)} tablets"


def log_receipt(dispense: Dispense) -> audit.Receipt | None:
    """Return the hand-over's receipt from the audit log; None while its entry is not linked."""
    try:
        return audit.receipt(dispense.audit_entry)
    except audit.NotLinked:
        return None


def printed_course(dispense: Dispense) -> Course:
    """Return the days of a hand-over as printed on its label, from where its course stood."""
    return _label_of(handed_over(dispense), dispense)


def _label_of(made: HandedOver, dispense: Dispense) -> Course:
    index = next(n for n, row in enumerate(made.products) if row.pk == dispense.prescription_id)
    return build_course(made.therapy, made.supply, index, dispense.strength_mg)


def build_course(therapy: Therapy, supply: str, index: int, strength_mg: Decimal) -> Course:
    """Return the days of a supply, for one of the products of its order. Raises DoesNotFit where no label can hold them."""
    days = therapy.supply(supply)
    stretches = therapy.label(supply)
    if not stretches or not stretches[0].dose.phase.doses:
        raise DoesNotFit("the order's phases could not be read, so no label can say how to take it")
    last_phase = stretches[-1].dose.phase
    is_as_needed = stretches[0].dose.as_needed
    is_end = _ends_with(therapy, supply)
    goes_on = last_phase.days is None and not is_end
    try:
        return Course(
            tuple(
                Stretch(
                    doses,
                    tuple(dose / strength_mg for dose in doses),
                    stretch.first_on,
                    None if goes_on and stretch is stretches[-1] else stretch.last_on,
                )
                for stretch in stretches
                if (doses := stretch.dose.phase.doses[index])
            ),
            then_stop=is_end,
            covered_until=days.run_out_on - timedelta(days=1),
            as_needed=is_as_needed,
            starts_later=days.starts_on > therapy.today,
        )
    except ValueError as error:
        raise DoesNotFit(str(error)) from error


def _ends_with(therapy: Therapy, supply: str) -> bool:
    """Say whether the medicine ends by plan on the day after a supply."""
    end = therapy.supply(supply).run_out_on
    return any(thread.ends_on == end for thread in therapy.threads)


def _calendar_of(made: HandedOver) -> Course | None:
    """Return every fixed dose of the days of a hand-over, of all courses; None where there is none. Raises DoesNotFit."""
    days = made.therapy.calendar(made.supply)
    if not days:
        return None
    if any(stretch.day.mg is None for stretch in days):
        raise DoesNotFit(
            "calendar: nobody said whether the supply replaces what the patient takes, so no day has a sure dose"
        )
    kinds = {(dose.course, strength) for days_ in days for dose in days_.day.doses for strength in dose.strengths}
    is_one_kind = len(kinds) == 1
    try:
        stretches = tuple(_calendar_stretch(stretch, is_one_kind) for stretch in days)
        last_on = stretches[-1].last_on
        return Course(stretches, _ends_with(made.therapy, made.supply), last_on)
    except ValueError as error:
        raise DoesNotFit(str(error)) from error


def _calendar_stretch(stretch: DayStretch, is_one_kind: bool) -> Stretch:
    rows = [
        (dose.mg, dose.mg / dose.strength_mg, f"{format_amount(dose.strength_mg)}{NB}mg")
        for dose in stretch.day.fixed_doses
        if dose.strength_mg is not None
    ]
    amounts, counts, names = zip(*rows, strict=True)
    return Stretch(amounts, counts, stretch.first_on, stretch.last_on, () if is_one_kind else names)
