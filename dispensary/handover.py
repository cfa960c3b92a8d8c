"""The printed content of a dispense: values of its label and calendar, from its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import QuerySet

from baclofen_rules.text import format_amount
from baclofen_rules.therapy import HAND_OVER, DayStretch, Ending, Therapy
from dispensary import audit
from dispensary.assessment import count_therapy, habits_of_profile
from dispensary.documents import Course, DoesNotFit, Handover, PharmacyLines, Receipt, Stretch, label_pdf
from dispensary.documents.words import NB, mg, paper_language
from dispensary.emergency_numbers import emergency_number
from dispensary.errors import Conflict, Problem
from dispensary.models import Decision, DecisionKind, Dispense, DispenseStatus, Patient, Prescription, Product, Source
from dispensary.models.keys import short_key
from dispensary.models.pharmacy import LabelLayout
from dispensary.rows import Rows, decisions_of, group_packs, select_rows, supplies_of

LONGEST_RECEIPT = Receipt(999_999_999, "f" * 64)
"""The receipt that a label is tried with before the log has written one."""


@dataclass(frozen=True)
class HandedOver:
    """A hand-over in the therapy as it stood when it was made, with what was decided about it since."""

    therapy: Therapy
    supply: str
    """Its id among the supplies of the therapy."""
    dispenses: tuple[Dispense, ...]
    """The packs that were handed over together, by product."""
    products: tuple[Prescription, ...]
    """The prescriptions of its order."""
    run_out_on: date
    """The first day that it does not cover: by what was counted at home since, where somebody counted."""
    stopped_on: date | None
    """The first day on which it was not to be taken any more; None where nobody stopped it."""
    today: date
    """The day of the print, not before what was decided."""

    @cached_property
    def now(self) -> Therapy:
        """The therapy as known today, with everything that came later."""
        patient = self.dispenses[0].person
        habits = habits_of_profile(patient.pharmacy, self.today)
        return count_therapy(patient, select_rows(patient, self.today), self.today, habits)

    @property
    def replaced_on(self) -> date | None:
        """The first day of what takes its place, past or planned; None where nothing does."""
        return self.now.replaced_on(self.supply)

    @property
    def is_over(self) -> bool:
        """Say whether it was stopped, or another dose is taken in its place by now or before its first day: its papers are not true."""
        if self.stopped_on is not None or self.replaced_on is None:
            return self.stopped_on is not None
        return self.replaced_on <= max(self.today, self.therapy.supply(self.supply).starts_on)

    @property
    def printed_until(self) -> date:
        """The first day that its papers say nothing of: that without its tablets, or of what takes their place before."""
        return self.run_out_on if self.replaced_on is None else min(self.run_out_on, self.replaced_on)


def order_number(prescription: Prescription) -> str:
    """Return the number printed on an order's label."""
    return short_key(prescription.pk).upper()


def select_dispenses() -> QuerySet[Dispense]:
    """Return dispenses with the rows that their pages and documents read."""
    return Dispense.objects.select_related(
        "patient__pharmacy", "prescription__pharmacy", "prescription__patient", "pharmacy", "product", "review"
    ).prefetch_related("prescription__phases")


def handed_over_together(dispense: Dispense) -> QuerySet[Dispense]:
    """Return the packs of the order's other strengths that were handed over in the same moment."""
    together = select_dispenses().filter(patient_id=dispense.patient_id, handed_over_at=dispense.handed_over_at)
    group = dispense.prescription.group
    return together.filter(prescription__group=group).exclude(pk=dispense.pk) if group else together.none()


def handed_over(dispense: Dispense, today: date) -> HandedOver:
    """Return a hand-over as it was made: of what came later only decisions count, those about what was taken then.

    Raises `InvalidInput` when what is stored cannot be read.
    """
    patient, local_day = dispense.person, dispense.pharmacy.local_day
    on = local_day(dispense.handed_over_at)
    rows = select_rows(patient, on, until=dispense.handed_over_at)
    products = rows.products_of(dispense.prescription)
    later = _later_decisions(dispense, rows)
    on = max([on, *(min(row.on, local_day(row.decided_at)) for row in later)])
    rows = rows._replace(decisions=[*rows.decisions, *later])
    packs = next(packs for packs in group_packs(products, rows.dispenses) if dispense in packs)
    counted, supply = count_therapy(patient, rows, on, habits_of_profile(dispense.pharmacy, on)), str(packs[0].pk)
    run_out_on, course = counted.supply(supply).run_out_on, counted.course_of(supply)
    if any(row.kind == DecisionKind.COUNTED for row in later):
        run_out_on = counted.course(course).first_uncovered or run_out_on
    stopped_on = next(
        (ended.on for ended in counted.ended if (ended.course, ended.why) == (course, Ending.STOPPED)), None
    )
    return HandedOver(counted, supply, tuple(packs), products, run_out_on, stopped_on, max(on, today))


def papers_in_hand(patient: Patient, on: date) -> list[Dispense]:
    """Return the supplies whose label and calendar the patient still goes by, newest first."""
    dispenses = select_dispenses().filter(
        prescription__patient=patient, run_out_on__gt=on, status=DispenseStatus.COMPLETED
    )
    return [row for row in dispenses.order_by("-handed_over_at") if not handed_over(row, on).is_over]


_PRINTED_KINDS = (DecisionKind.MOVED, DecisionKind.COUNTED, DecisionKind.STOPPED)
"""The kinds of decision that change what papers say; what a patient says to take instead changes no directions."""


def _later_decisions(dispense: Dispense, rows: Rows) -> list[Decision]:
    """Return the decisions since a hand-over about what was taken then, and what put them right.

    What was counted after more was handed over says nothing of the tablets of before.
    """
    names = {str(row.pk) for products in rows.orders for row in products}
    names |= {"all", *(str(row.pk) for row in rows.prior_supplies)}
    supplied_again = [row.handed_over_at for row in supplies_of(dispense.person) if row not in rows.dispenses]
    decisions: list[Decision] = []
    for row in decisions_of(dispense.person):
        is_printed = row.kind in _PRINTED_KINDS and row.course.partition("@")[0] in names
        if row.kind == DecisionKind.COUNTED and any(moment <= row.decided_at for moment in supplied_again):
            is_printed = False
        corrects = row.corrects_id in {other.pk for other in decisions}
        if row not in rows.decisions and (is_printed or corrects):
            decisions.append(row)
    return decisions


def printed_handover(dispense: Dispense, today: date) -> Handover:
    """Return the values that are printed: what is true on the day of the print.

    Raises Conflict for a supply whose course was stopped or replaced, DoesNotFit for directions that no label can hold and for a
    pharmacy without an address or a telephone, which every label must bear (HMR 2012, Schedule 25, paragraph 2).
    """
    lines = {"address": dispense.pharmacy.address, "telephone": dispense.pharmacy.phone}
    missing = [name for name, line in lines.items() if not line]
    if missing:
        raise DoesNotFit(f"the pharmacy has no {' and no '.join(missing)}; a manager records it in the settings")
    receipt = log_receipt(dispense)
    made = handed_over(dispense, today)
    if made.is_over:
        day = made.stopped_on or made.replaced_on
        what = "stopped" if made.stopped_on is not None else "replaced by another dose"
        is_ahead = day is not None and day > made.today
        verb, before = ("is", ", before any of it would be taken") if is_ahead else ("was", "")
        raise Conflict(
            f"What this supply {verb} for {verb} {what} on {day:%d %b %Y}{before}: "
            "its label and calendar are no longer true.",
            Problem("dispense", "one that is not taken any more", "one that is", "Print that of another supply."),
        )
    calendar = _calendar_of(made)
    names = [tablet_name(row) for row in made.dispenses]
    return replace(
        _label_values(dispense, label_of(made, dispense), names, made.therapy.fills(made.supply)),
        receipt=Receipt(receipt.seq, receipt.leaf.hex()) if receipt else None,
        calendar=calendar,
        calendar_tablets=tuple(names) if len(names) > 1 else (),
    )


def try_labels(dispenses: Sequence[Dispense], therapy: Therapy) -> None:
    """Typeset the labels of packs as `label_values` has them. Raises DoesNotFit for what no label can hold."""
    for values in label_values(dispenses, therapy):
        label_pdf(replace(values, receipt=LONGEST_RECEIPT))


def label_values(dispenses: Sequence[Dispense], therapy: Therapy) -> list[Handover]:
    """Return the values on the labels of packs that would be handed over together, not stored yet, as the hand-over in question.

    `therapy` is that after the hand-over. Raises DoesNotFit for directions that no label can hold.
    """
    plan = next(order.plan for order in therapy.facts.orders if order.id == _order_in_question(therapy))
    names = [tablet_name(row) for row in dispenses]
    labels = []
    for row in dispenses:
        strengths = list(plan.strengths)
        ordered = row.prescription.strength_mg
        index = strengths.index(ordered) if ordered in strengths else 0
        course = build_course(therapy, HAND_OVER, index, row.strength_mg, usual_times=row.pharmacy.times_by_count)
        labels.append(_label_values(row, course, names, therapy.fills(HAND_OVER)))
    return labels


def _order_in_question(therapy: Therapy) -> str | None:
    return next(supply.order for supply in therapy.facts.supplies if supply.id == HAND_OVER)


def _label_values(dispense: Dispense, course: Course, names: Sequence[str], fills: int) -> Handover:
    return Handover(
        medicine=medicine_name(dispense),
        strength_mg=dispense.strength_mg,
        quantity=dispense.quantity,
        course=course,
        patient_name=dispense.patient.name_on_papers,
        dispensed_on=dispense.pharmacy.local_day(dispense.handed_over_at),
        number=order_number(dispense.prescription),
        pharmacy=PharmacyLines(dispense.pharmacy.name, dispense.pharmacy.address, dispense.pharmacy.phone),
        ingredient=dispense.product.ingredient if dispense.product else "baclofen",
        language=paper_language(dispense.pharmacy.language),
        patient_language=paper_language(dispense.patient.language or dispense.pharmacy.language),
        born_on=dispense.patient.birth_date,
        emergency=emergency_number(dispense.pharmacy.phone),
        is_emergency_supply=dispense.prescription.source == Source.EMERGENCY,
        together_with=tuple(name for name in names if name != tablet_name(dispense)),
        **_us_lines(dispense, fills),
    )


def _us_lines(dispense: Dispense, fills: int) -> dict[str, Any]:
    """Return prescriber, refills and date of discarding, which only labels of the United States bear (USP <17>, <7>).

    `fills`: ordered quantities begun with it. The tablets are discarded when their pack expires, a year after the hand-over at the latest.
    """
    if dispense.pharmacy.label_layout != LabelLayout.US:
        return {}
    order, on = dispense.prescription, dispense.pharmacy.local_day(dispense.handed_over_at)
    expiries = [pack["expiry"] for pack in dispense.packs if pack["expiry"] is not None]
    return {
        "layout": LabelLayout.US,
        "prescriber": order.prescriber.name,
        "refills": None if order.repeats is None else max(order.repeats + 1 - fills, 0),
        "discard_on": min([*expiries, on + timedelta(days=365)]),
    }


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


def label_of(made: HandedOver, dispense: Dispense) -> Course:
    """Return the days of one of the packs of a hand-over as its label says them. Raises DoesNotFit where it has none."""
    if made.replaced_on is not None and made.replaced_on <= made.therapy.supply(made.supply).starts_on:
        raise DoesNotFit("another dose takes its place before any of it would be taken")
    index = next(n for n, row in enumerate(made.products) if row.pk == dispense.prescription_id)
    usual_times = dispense.pharmacy.times_by_count
    course = build_course(
        made.therapy, made.supply, index, dispense.strength_mg, usual_times=usual_times, run_out_on=made.printed_until
    )
    if made.printed_until == made.run_out_on:
        return course
    last = replace(course.stretches[-1], last_on=made.printed_until - timedelta(days=1))
    return replace(course, stretches=(*course.stretches[:-1], last), is_dated=True)


def build_course(
    therapy: Therapy,
    supply: str,
    index: int,
    strength_mg: Decimal,
    *,
    usual_times: Mapping[int, Sequence[str]],
    run_out_on: date | None = None,
) -> Course:
    """Return the days of a supply, for one of the products of its order. Raises DoesNotFit where no label can hold them.

    `usual_times`: by doses a day, where the order says none. `run_out_on` is its first day without tablets, where that is another
    than on the day of the hand-over.
    """
    days = therapy.supply(supply)
    run_out_on = run_out_on or days.run_out_on
    stretches = therapy.label(supply, run_out_on)
    if not stretches or not stretches[0].dose.phase.doses:
        raise DoesNotFit("the order's phases could not be read, so no label can say how to take it")
    last_phase = stretches[-1].dose.phase
    is_as_needed = stretches[0].dose.as_needed
    is_end = _ends_on(therapy, run_out_on)
    goes_on = last_phase.days is None and not is_end
    try:
        return Course(
            tuple(
                Stretch(
                    doses,
                    tuple(dose / strength_mg for dose in doses),
                    stretch.first_on,
                    None if goes_on and stretch is stretches[-1] else stretch.last_on,
                    times=_all_times(stretch.dose.phase.times_at(index, usual_times)),
                )
                for stretch in stretches
                if (doses := stretch.dose.phase.doses[index])
            ),
            then_stop=is_end,
            covered_until=run_out_on - timedelta(days=1),
            as_needed=is_as_needed,
            starts_later=days.starts_on > therapy.today,
        )
    except ValueError as error:
        raise DoesNotFit(str(error)) from error


def _all_times(times: Sequence[str | None]) -> tuple[str, ...]:
    """Return the times of a day's doses; none where not all of them are known."""
    return tuple(time for time in times if time) if all(times) else ()


def _ends_on(therapy: Therapy, day: date) -> bool:
    """Say whether the medicine ends by plan, so that this is the first day without it."""
    return any(thread.ends_on == day for thread in therapy.threads)


def _calendar_of(made: HandedOver) -> Course | None:
    """Return every fixed dose of the days of a hand-over, of all courses; None where there is none. Raises DoesNotFit."""
    days = made.now.calendar(made.supply, made.printed_until)
    if not days:
        return None
    if any(stretch.day.mg is None for stretch in days):
        raise DoesNotFit(
            "calendar: nobody said whether the supply replaces what the patient takes, so no day has a sure dose"
        )
    kinds = {(dose.course, strength) for days_ in days for dose in days_.day.doses for strength in dose.strengths}
    is_one_kind, usual_times = len(kinds) == 1, made.dispenses[0].pharmacy.times_by_count
    try:
        stretches = tuple(_calendar_stretch(stretch, is_one_kind, usual_times) for stretch in days)
        last_on = stretches[-1].last_on
        is_end = _ends_on(made.therapy, made.printed_until) and not made.now.day(made.printed_until).doses
        return Course(stretches, is_end, last_on)
    except ValueError as error:
        raise DoesNotFit(str(error)) from error


def _calendar_stretch(stretch: DayStretch, is_one_kind: bool, usual_times: Mapping[int, Sequence[str]]) -> Stretch:
    rows = [
        (dose.mg, dose.mg / dose.strength_mg, f"{format_amount(dose.strength_mg)}{NB}mg", dose.time)
        for dose in stretch.day.fixed_doses_at(usual_times)
        if dose.strength_mg is not None
    ]
    amounts, counts, names, times = zip(*rows, strict=True)
    return Stretch(amounts, counts, stretch.first_on, stretch.last_on, () if is_one_kind else names, _all_times(times))
