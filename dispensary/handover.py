"""The printed content of a dispense: values of its label and calendar, from its rows."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import QuerySet

from dispensary import audit
from dispensary.courses import course_start_of, dated_phases, regimen_of
from dispensary.documents import Course, DoesNotFit, Handover, PharmacyLines, Receipt, Stretch
from dispensary.models import Dispense, Prescription
from dispensary.models.keys import short_key

WARNINGS = (
    "May make you sleepy: do not drive or use machines. No alcohol.",
    "Do not stop suddenly: only as your prescriber tells you.",
)


def order_number(prescription: Prescription) -> str:
    """Return the number printed on an order's label."""
    return short_key(prescription.pk).upper()


def select_dispenses() -> QuerySet[Dispense]:
    """Return dispenses with the rows that their pages and documents read."""
    return Dispense.objects.select_related(
        "patient", "prescription__pharmacy", "prescription__patient", "pharmacy", "product", "review"
    ).prefetch_related("prescription__phases")


def printed_handover(dispense: Dispense) -> Handover:
    """Return the values that are printed. Raises DoesNotFit for directions that no label can hold."""
    receipt = log_receipt(dispense)
    name = dispense.product.brand or dispense.product.ingredient.capitalize() if dispense.product else "Baclofen"
    return Handover(
        medicine=name,
        strength_mg=dispense.strength_mg,
        quantity=dispense.quantity,
        course=printed_course(dispense),
        patient_name=f"{dispense.patient.given_name} {dispense.patient.family_name}".strip(),
        dispensed_on=dispense.pharmacy.local_day(dispense.handed_over_at),
        number=order_number(dispense.prescription),
        pharmacy=PharmacyLines(dispense.pharmacy.name, dispense.pharmacy.address, dispense.pharmacy.phone),
        warnings=WARNINGS,
        receipt=Receipt(receipt.seq, receipt.leaf.hex()) if receipt else None,
        born_on=dispense.patient.birth_date,
    )


def log_receipt(dispense: Dispense) -> audit.Receipt | None:
    """Return the hand-over's receipt from the audit log; None while its entry is not linked."""
    try:
        return audit.receipt(dispense.audit_entry)
    except audit.NotLinked:
        return None


def printed_course(dispense: Dispense) -> Course:
    """Return the phases of the order's course from the first day of this supply on, counted from its first supply."""
    regimen = regimen_of(dispense.prescription)
    if regimen is None:
        raise DoesNotFit("the order's phases could not be read, so no label can say how to take it")
    try:
        stretches = tuple(
            Stretch(
                phase.doses_mg,
                tuple(dose / dispense.strength_mg for dose in phase.doses_mg),
                phase.first_on,
                phase.last_on,
            )
            for phase in dated_phases(regimen, course_start_of(dispense), dispense.starts_on, dispense.run_out_on)
        )
    except ValueError as error:
        raise DoesNotFit(str(error)) from error
    covered = dispense.run_out_on - timedelta(days=1)
    return Course(stretches, bool(dispense.prescription.then_stop), covered)
