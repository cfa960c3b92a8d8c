"""Preparing, checking, shelving and putting back: the steps before a hand-over, each by a person, where the pharmacy separates them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from baclofen_rules.therapy import HAND_OVER
from dispensary import audit, policies
from dispensary.actions import dispenses, reviews
from dispensary.actions.bags import find_open_bag, pack_bag, unpack_bag
from dispensary.actions.decisions import Decided, check_answers
from dispensary.actions.documents import not_printable
from dispensary.actions.handover_problems import (
    Item,
    check_quantity,
    expiry_problems,
    explain_unknown_length,
    items_problems,
)
from dispensary.actions.handover_review import assess_items, find_products, preview_dispense
from dispensary.actions.locks import lock
from dispensary.actions.order_states import end_claim
from dispensary.actions.overrides import Answer, open_questions, sign_answers
from dispensary.actions.refusals import Refused, refuse
from dispensary.actions.summaries import follow_therapy
from dispensary.actions.therapy import save_decisions
from dispensary.actors import Actor
from dispensary.audit import Event
from dispensary.documents import DoesNotFit, Handover, draw_labels, label_pdf, label_text
from dispensary.errors import Conflict, InvalidInput, NotAllowed, Problem
from dispensary.handover import label_values
from dispensary.models import (
    OPEN_STAGES,
    Dispense,
    FindingSeverity,
    Preparation,
    Prescription,
    ReviewReason,
    Stage,
)
from dispensary.models.preparation import CHECKED_STAGES
from dispensary.text import clean_line

COUNSELLING = ("how", "change", "driving", "stopping")
"""Codes of the points that are told at a hand-over: how it is taken, what changes, driving and alcohol, never stopping suddenly."""


@transaction.atomic
def prepare(*, items: Sequence[Item], by: Actor, now: datetime) -> Preparation:
    """Put the packs of an order's strengths into a bag, for another person to check.

    Raises `Conflict` for a wrong pack or quantity, a bag that is there already, and where the rules find a stop.
    """
    policies.require(policies.may_dispense(by), by, "prepare a medicine", "a technician or pharmacist")
    for item in items:
        policies.require_same_pharmacy(by, item.prescription.pharmacy_id)
        check_quantity(item.quantity)
    locked = [item._replace(prescription=lock(item.prescription)) for item in items]
    order = locked[0].prescription
    today = order.pharmacy.local_day(now)
    if not order.pharmacy.separate_steps:
        raise Conflict("This pharmacy hands over in one step: nothing is prepared before.")
    if find_open_bag(order) is not None:
        raise Conflict("A bag is prepared for this prescription already.")
    products, problems = find_products(locked, today)
    problems += items_problems(locked)
    if not problems:
        assessment = assess_items(locked, products, today)
        problems += [
            Problem(question.code, question.summary, "an order, pack and record without a stop", question.detail)
            for question in assessment.questions()
            if question.severity == FindingSeverity.STOP
        ]
    if problems:
        raise Conflict("Nothing was prepared.", *problems)
    row = Preparation.objects.create(
        pharmacy_id=order.pharmacy_id,
        prescription=order,
        bag=pack_bag(locked),
        prepared_by=by.name,
        preparer_name=by.display,
        prepared_at=now,
    )
    end_claim(order, by)
    _record(Event.BAG_PREPARED, row, by, now, {"bag": row.bag})
    return row


@audit.retrying
@transaction.atomic
def check(
    *,
    preparation: Preparation,
    acknowledged: Sequence[str] = (),
    decisions: Sequence[Decided] = (),
    no_label: str = "",
    by: Actor,
    now: datetime,
) -> Preparation | Refused:
    """Check a bag against its order, as another person than who prepared it; what the rules ask is answered with it.

    `acknowledged` and `decisions` are those of a hand-over, and stand for the one to come. `no_label` says why no label was
    printed. A refusal is recorded and returned. Raises `Conflict` for a bag without a label that could have been printed.
    """
    policies.require(policies.may_override(by), by, "check a bag", "a pharmacist")
    row, items = _lock(preparation, by)
    if row.stage != Stage.PREPARED:
        raise Conflict(f"The bag is {row.get_stage_display().lower()} already.")
    if row.prepared_by == by.name:
        raise NotAllowed(
            f"{by.display} prepared this bag. Another person checks it.",
            Problem("by", "who prepared it", "another pharmacist or manager of this pharmacy"),
        )
    order = items[0].prescription
    today = order.pharmacy.local_day(now)
    products, problems = find_products(items, today)
    problems += items_problems(items)
    refusal: dict[str, Any] = {
        "subject": order,
        "what": "The check",
        "event": Event.BAG_CHECK_REFUSED,
        "by": by,
        "now": now,
    }
    if problems:
        return refuse(**refusal, review=None, problems=problems)
    first_assessment = assess_items(items, products, today)
    after = first_assessment.after_hand_over()
    is_printable = after is not None and bool(after.label(HAND_OVER))
    label_reason = _require_label(row, no_label, is_due=is_printable)
    rows = check_answers(decisions, prescription=order, assessment=first_assessment, by=by, now=now)
    assessment = assess_items(items, products, today, rows) if rows else first_assessment
    review = reviews.freeze(subject=order, assessment=assessment, reason=ReviewReason.CHECKED, by=by, now=now)
    answers = [Answer(finding=code) for code in acknowledged]
    if unanswered := open_questions(order, assessment, answers=answers):
        return refuse(**refusal, review=review, unanswered=unanswered)
    course = assessment.review.course
    if course is None or not course.days_supply or course.run_out_on is None:
        return refuse(**refusal, review=review, problems=(explain_unknown_length(items),))
    if expired := expiry_problems(items, course.run_out_on):
        return refuse(**refusal, review=review, problems=expired)
    after = assessment.after_hand_over()
    if rows and after is not None:
        save_decisions(
            rows, patient=order.patient, question="", before=assessment.therapy, after=after,
            on=assessment.on, by=by, now=now,
        )  # fmt: skip
    sign_answers(subject=order, assessment=assessment, answers=answers, by=by, now=now)
    row.stage, row.checked_by, row.checker_name, row.checked_at = Stage.CHECKED, by.name, by.display, now
    row.save(update_fields=["stage", "checked_by", "checker_name", "checked_at"])
    end_claim(order, by)
    follow_therapy(patient_id=order.patient_id, by=by, now=now)
    _record(
        Event.BAG_CHECKED, row, by, now,
        {"bag": row.bag, "review": review.pk, "prepared_by": row.preparer_name, "no_label": label_reason},
    )  # fmt: skip
    return row


@transaction.atomic
def shelve(*, preparation: Preparation, shelf: str, by: Actor, now: datetime) -> Preparation:
    """Put a checked bag on a shelf, or on another one; the patient is told once that it is ready.

    Raises `Conflict` for a bag that nobody has checked.
    """
    policies.require(policies.may_dispense(by), by, "shelve a bag", "a technician or pharmacist")
    place = clean_line(shelf, "shelf", longest=20)
    row, items = _lock(preparation, by)
    if row.stage not in CHECKED_STAGES:
        raise Conflict(
            f"The bag is {row.get_stage_display().lower()}: it is checked before it goes to the shelf.",
            Problem("preparation", row.stage, "a checked bag", "Have it checked."),
        )
    row.stage, row.shelf, row.shelved_at = Stage.SHELVED, place, row.shelved_at or now
    row.save(update_fields=["stage", "shelf", "shelved_at"])
    _record(Event.BAG_SHELVED, row, by, now, {"shelf": place})
    follow_therapy(patient_id=items[0].prescription.patient_id, by=by, now=now)
    return row


@transaction.atomic
def put_back(*, preparation: Preparation, reason: str, by: Actor, now: datetime) -> Preparation:
    """Put the packs of a bag back into stock: it was prepared wrongly, or nobody came."""
    policies.require(policies.may_dispense(by), by, "put a bag back", "a technician or pharmacist")
    words = clean_line(reason, "reason", longest=250)
    row, items = _lock(preparation, by)
    row.stage, row.ended_at, row.ended_reason = Stage.RETURNED, now, words
    row.save(update_fields=["stage", "ended_at", "ended_reason"])
    _record(Event.BAG_PUT_BACK, row, by, now, {"reason": words, "bag": row.bag})
    follow_therapy(patient_id=items[0].prescription.patient_id, by=by, now=now)
    return row


@audit.retrying
@transaction.atomic
def hand_over(
    *,
    preparation: Preparation,
    identified: str,
    counselled: Sequence[str],
    no_label: str = "",
    key: str,
    by: Actor,
    now: datetime,
) -> Dispense | Refused:
    """Hand a checked bag over to somebody who said who they are, with the points told.

    `identified` says how the person was identified, `counselled` are codes of `COUNSELLING`, `no_label` says why no label was
    printed. What the rules find since the check is refused as in any hand-over: the bag is then checked again.
    Raises `Conflict` for a bag without a printed label and without that reason.
    """
    who = clean_line(identified, "identified", longest=120)
    if unknown := set(counselled) - set(COUNSELLING):
        raise InvalidInput(
            "There is no such point of counselling.",
            Problem("counselled", ", ".join(sorted(unknown))[:64], f"some of {', '.join(COUNSELLING)}"),
        )
    row, (first, *also) = _lock(preparation, by)
    label_reason = _require_label(row, no_label, is_due=row.stage in CHECKED_STAGES)  # refused below where it is not
    result = dispenses.dispense(
        prescription=first.prescription,
        quantity=first.quantity,
        pack=first.pack,
        further=first.further,
        also=also,
        key=key,
        by=by,
        now=now,
    )
    if isinstance(result, Dispense):
        _record(
            Event.BAG_HANDED_OVER, row, by, now,
            {"dispense": result.pk, "identified": who, "counselled": list(counselled), "no_label": label_reason},
        )  # fmt: skip
    return result


@transaction.atomic
def uncheck(*, preparation: Preparation, by: Actor, now: datetime) -> Preparation:
    """Let a bag be checked once more: its findings have changed since, or somebody doubts it."""
    policies.require(policies.may_dispense(by), by, "ask for another check", "a technician or pharmacist")
    row, items = _lock(preparation, by)
    before = {"was": row.stage, "checked_by": row.checker_name}
    row.stage, row.checked_by, row.checker_name, row.checked_at = Stage.PREPARED, "", "", None
    row.shelved_at = None
    row.save(update_fields=["stage", "checked_by", "checker_name", "checked_at", "shelved_at"])
    _record(Event.BAG_UNCHECKED, row, by, now, before)
    follow_therapy(patient_id=items[0].prescription.patient_id, by=by, now=now)
    return row


def print_label(*, preparation: Preparation, number: int = 0, by: Actor, now: datetime) -> bytes:
    """Return the label of a bag as PDF, of the strength of that number, as if it were handed over today; its print is recorded.

    Raises `NotPrintable`, and `Conflict` where nobody can say yet how the tablets are taken.
    """
    with transaction.atomic():
        row, values = _values_to_print(preparation, by, now)
        try:
            content = label_pdf(values[number], at=now)
        except DoesNotFit as error:
            raise not_printable(error) from None
        _record_print(row, values[number : number + 1], by, now)
    return content


@transaction.atomic
def print_labels(*, preparation: Preparation, by: Actor, now: datetime) -> list[bytes]:
    """Return the labels of all strengths of a bag as SVG for a browser to print; otherwise as `print_label` does."""
    row, values = _values_to_print(preparation, by, now)
    try:
        pages = [page for handover in values for page in draw_labels(handover)]
    except DoesNotFit as error:
        raise not_printable(error) from None
    _record_print(row, values, by, now)
    return pages


def _values_to_print(preparation: Preparation, by: Actor, now: datetime) -> tuple[Preparation, list[Handover]]:
    """Lock a bag and return it with what the label of each strength says."""
    policies.require(policies.may_dispense(by), by, "print a label", "a technician or pharmacist")
    row, items = _lock(preparation, by)
    today = items[0].prescription.pharmacy.local_day(now)
    products, _ = find_products(items, today)
    after = assess_items(items, products, today).after_hand_over() if len(products) == len(items) else None
    if after is None or not after.label(HAND_OVER):
        raise Conflict("Nobody can say yet how these tablets are taken: the label is printed after the check.")
    dispenses_to_come = [preview_dispense(item, product, now) for item, product in zip(items, products, strict=True)]
    try:
        return row, label_values(dispenses_to_come, after)
    except DoesNotFit as error:
        raise not_printable(error) from None


def _require_label(row: Preparation, no_label: str, *, is_due: bool) -> str:
    """Return the reason why a bag has no printed label; empty for one that has. Raises `Conflict` where both are due and missing."""
    reason = clean_line(no_label, "no_label", longest=120, required=False)
    if row.label_prints:
        return ""
    if is_due and not reason:
        raise Conflict(
            "No label was printed for this bag.",
            Problem(
                "no_label",
                "a bag without a printed label",
                "its label, or the reason why it has none",
                "Print the label, or say why there is none.",
            ),
        )
    return reason


def _record_print(row: Preparation, values: Sequence[Handover], by: Actor, now: datetime) -> None:
    row.label_prints += 1
    row.save(update_fields=["label_prints"])
    event = Event.LABEL_PRINTED if row.label_prints == 1 else Event.LABEL_REPRINTED
    says = [line for handover in values for line in label_text(handover)]
    _record(event, row, by, now, {"print": row.label_prints, "says": says})


def orders_of(preparation: Preparation) -> Mapping[Any, Prescription]:
    """Return the prescriptions of a bag's strengths by their ids, as they are now."""
    ids = [stored["prescription"] for stored in preparation.bag]
    rows = Prescription.objects.select_related("pharmacy", "patient__pharmacy", "prescriber").prefetch_related("phases")
    return {row.pk: row for row in rows.filter(pk__in=ids)}


def _lock(preparation: Preparation, by: Actor) -> tuple[Preparation, list[Item]]:
    """Lock the orders of a bag, then the bag. Raises `Conflict` for one that is not in the pharmacy any more."""
    policies.require_same_pharmacy(by, preparation.pharmacy_id)
    orders = {pk: lock(order) for pk, order in orders_of(preparation).items()}
    row = Preparation.objects.select_for_update(of=("self",)).get(pk=preparation.pk)
    if row.stage not in OPEN_STAGES:
        raise Conflict(f"The bag is {row.get_stage_display().lower()} already.")
    return row, unpack_bag(row, orders)


def _record(event: Event, row: Preparation, by: Actor, now: datetime, body: Mapping[str, Any]) -> None:
    order = row.prescription
    audit.record(
        event, pharmacy=order.pharmacy, by=by, now=now, subject=row, patient=order.patient,
        body={"prescription": order.pk, **body},
    )  # fmt: skip
