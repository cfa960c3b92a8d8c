"""The hand-over: one transaction from the question to the reminders, all or nothing."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction

from baclofen_rules.text import format_amount
from dispensary import audit, policies
from dispensary.actions import reviews
from dispensary.actions.locks import lock
from dispensary.actions.overrides import Answer, Refused, open_questions, refuse, sign_answers
from dispensary.actions.prescriptions import end
from dispensary.actions.summaries import follow_therapy
from dispensary.actors import Actor
from dispensary.assessment import Assessment, Question, assess, pick_document
from dispensary.audit import Event
from dispensary.conf import conf
from dispensary.courses import next_supply
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.models import (
    Dispense,
    DispenseStatus,
    Override,
    OverrideState,
    Prescription,
    PrescriptionStatus,
    Product,
    Review,
    ReviewReason,
)
from dispensary.models.reminders import Withdrawal
from dispensary.scanning import Pack
from dispensary.text import clean_line

BACLOFEN = "baclofen"
ATC = "M03BX01"
"""Baclofen, as the log files it."""


@audit.retrying
def dispense(
    *,
    prescription: Prescription,
    quantity: Decimal,
    pack: Pack,
    overrides: Sequence[Answer] = (),
    acknowledged: Sequence[str] = (),
    key: str,
    by: Actor,
    now: datetime,
) -> Dispense | Refused:
    """Hand over `quantity` tablets of `pack` on a prescription, or say what stands in the way.

    Everything is judged anew under a lock on the patient and the order. `overrides` answer findings with a reason,
    `acknowledged` names those that need one step only (and `not-assessed`); answers signed before count as well. `key`
    is the caller's idempotency key: repeated, it gives the first dispense again. A refusal is recorded and returned;
    malformed input raises `InvalidInput` and leaves nothing behind.
    """
    policies.require(policies.may_dispense(by), by, "hand over a medicine", "a technician or pharmacist")
    policies.require_same_pharmacy(by, prescription.pharmacy_id)
    name = clean_line(key, "idempotency_key", longest=64)
    amount = _check_quantity(quantity)
    answers = (*overrides, *(Answer(finding=code) for code in acknowledged))
    with transaction.atomic():
        locked = lock(prescription)
        before = Dispense.objects.filter(pharmacy_id=locked.pharmacy_id, key=name).first()
        if before is not None:
            return _repeated_result(before, locked, amount)
        return _Handover(locked, amount, pack, answers, name, by, now).run()


@transaction.atomic
def cancel(*, dispense: Dispense, reason: str, by: Actor, now: datetime) -> Dispense:
    """Undo a hand-over that never left the counter. The order may be dispensed again."""
    return _take_back(
        dispense,
        DispenseStatus.CANCELLED,
        event=Event.DISPENSE_CANCELLED,
        why=Withdrawal.DISPENSE_CANCELLED,
        reason=reason,
        by=by,
        now=now,
    )


@transaction.atomic
def return_(*, dispense: Dispense, reason: str, by: Actor, now: datetime) -> Dispense:
    """Take back a supply that the patient brought back. It is not put on the shelf, and the order stays as it is."""
    return _take_back(
        dispense,
        DispenseStatus.RETURNED,
        event=Event.DISPENSE_RETURNED,
        why=Withdrawal.DISPENSE_RETURNED,
        reason=reason,
        by=by,
        now=now,
    )


@dataclass(frozen=True, slots=True)
class _Handover:
    prescription: Prescription
    quantity: Decimal
    pack: Pack
    answers: Sequence[Answer]
    key: str
    by: Actor
    now: datetime

    def run(self) -> Dispense | Refused:
        ended = self._status_problems() or self._quantity_problems()
        if ended:
            return self._refuse(None, problems=ended)
        product, wrong = self._find_product()
        if product is None:
            return self._refuse(None, problems=wrong)
        assessment = assess(
            self.prescription,
            on=self._today,
            picked=pick_document(product, self.pack.expiry),
            quantity=self._quantity_in_question(),
        )
        review = reviews.freeze(
            prescription=self.prescription,
            assessment=assessment,
            reason=ReviewReason.DISPENSE,
            by=self.by,
            now=self.now,
        )
        unanswered = open_questions(self.prescription, assessment, answers=self.answers)
        if unanswered:
            return self._refuse(review, unanswered=unanswered)
        supply = next_supply(self.prescription, assessment.review.course, on=self._today, quantity=self.quantity)
        if not supply.days or supply.run_out_on is None:
            return self._refuse(review, problems=(_UNKNOWN_LENGTH,))
        if self.pack.expiry is not None and self.pack.expiry < supply.run_out_on:
            return self._refuse(review, problems=(_expiry_problem(self.pack.expiry, supply.run_out_on),))
        return self._hand_over(product, review, assessment, supply.days, supply.run_out_on)

    @property
    def _today(self) -> date:
        return self.prescription.pharmacy.local_day(self.now)

    def _quantity_in_question(self) -> Decimal | None:
        return None if self.quantity == self.prescription.quantity else self.quantity

    def _status_problems(self) -> tuple[Problem, ...]:
        order = self.prescription
        if order.patient.died_on:
            return (
                Problem(
                    "prescription", "The patient is recorded as having died", "a living patient", "Check the record."
                ),
            )
        if order.status == PrescriptionStatus.ACTIVE:
            return ()
        last = order.dispenses.completed().order_by("-handed_over_at").first()
        if order.status == PrescriptionStatus.COMPLETED and last is not None:
            return (_all_handed_over_problem(last),)
        next_step = "Ask the prescriber for a new one."
        if order.status == PrescriptionStatus.ON_HOLD:
            next_step = "Wait for its sender to release it, or ask the prescriber."
        return (Problem("prescription", f"The prescription is {order.standing}", "an active prescription", next_step),)

    def _quantity_problems(self) -> tuple[Problem, ...]:
        left = self.prescription.remaining()
        whole = self.prescription.quantity
        if left is not None and self.quantity > left:
            return (
                Problem(
                    "quantity",
                    f"{_tablets(self.quantity)} asked for, {_tablets(left)} left",
                    f"at most {_tablets(left)}",
                ),
            )
        if whole is not None and self.quantity > whole:
            return (
                Problem("quantity", f"{_tablets(self.quantity)} asked for", f"at most {_tablets(whole)} in one supply"),
            )
        if whole is not None and self.quantity < whole and self.prescription.phases.count() > 1:
            problem_text = f"{_tablets(self.quantity)} of {_tablets(whole)} for a course whose dose changes"
            return (
                Problem(
                    "quantity",
                    problem_text,
                    f"the whole course, {_tablets(whole)}",
                    "A part would end in the middle of a dose change.",
                ),
            )
        return ()

    def _find_product(self) -> tuple[Product | None, tuple[Problem, ...]]:
        gtin = self.pack.gtin
        product = (
            Product.objects.filter(pk=gtin.zfill(14)).first()
            if gtin.isascii() and gtin.isdigit() and len(gtin) <= 14
            else None
        )
        if product is None:
            return None, (
                Problem(
                    "pack.gtin",
                    "Nobody here knows this pack",
                    "the GTIN of a product in the list",
                    "Scan it again, or have it added.",
                ),
            )
        if product.ingredient.casefold() != BACLOFEN:
            return None, (
                Problem(
                    "pack.gtin", f"The pack is {product.name}, another medicine", "a baclofen pack", "Put it back."
                ),
            )
        if self.pack.expiry is not None and self.pack.expiry < self._today:
            return None, (
                Problem(
                    "pack.expiry", f"The pack expired on {self.pack.expiry}", "a pack in date", "Take it off the shelf."
                ),
            )
        return product, ()

    def _hand_over(
        self, product: Product, review: Review, assessment: Assessment, days: int, run_out: date
    ) -> Dispense:
        order = self.prescription
        sign_answers(prescription=order, assessment=assessment, answers=self.answers, by=self.by, now=self.now)
        used = list(
            order.overrides.filter(
                state=OverrideState.OPEN, fingerprint__in=[q.fingerprint for q in assessment.questions()]
            )
        )
        dispense = Dispense(
            pharmacy_id=order.pharmacy_id,
            patient_id=order.patient_id,
            prescription=order,
            review=review,
            number=order.dispenses.count() + 1,
            quantity=self.quantity,
            product=product,
            strength_mg=product.strength_mg,
            lot=clean_line(self.pack.lot, "pack.lot", longest=20, required=False),
            expiry=self.pack.expiry,
            serial=clean_line(self.pack.serial, "pack.serial", longest=20, required=False),
            starts_on=run_out - timedelta(days=days),
            days_supply=days,
            run_out_on=run_out,
            prepared_at=self.now,
            handed_over_at=self.now,
            dispensed_by=self.by.name,
            dispenser_name=self.by.display,
            key=self.key,
        )
        dispense.audit_entry = self._record(dispense, assessment, used)
        dispense.save(force_insert=True)
        order.overrides.filter(pk__in=[override.pk for override in used]).update(
            state=OverrideState.USED, dispense=dispense
        )
        if order.remaining() == 0:
            end(order, PrescriptionStatus.COMPLETED, "everything ordered was handed over", self.now)
        follow_therapy(patient_id=order.patient_id, reason=Withdrawal.NEW_DISPENSE, by=self.by, now=self.now)
        return dispense

    def _record(self, dispense: Dispense, assessment: Assessment, used: Sequence[Override]) -> uuid.UUID:
        return audit.record(
            Event.DISPENSED,
            pharmacy=self.prescription.pharmacy,
            by=self.by,
            now=self.now,
            subject=dispense,
            patient=self.prescription.patient,
            rule_codes=tuple(question.code for question in assessment.questions()),
            ruleset=assessment.profile_digest,
            engine=assessment.rules_version,
            drug_code=ATC,
            body={
                "prescription": self.prescription.pk,
                "review": dispense.review_id,
                "quantity": dispense.quantity,
                "strength_mg": dispense.strength_mg,
                "pack": {
                    "gtin": dispense.product_id,
                    "lot": dispense.lot,
                    "expiry": dispense.expiry,
                    "serial": dispense.serial,
                },
                "starts_on": dispense.starts_on,
                "days_supply": dispense.days_supply,
                "run_out_on": dispense.run_out_on,
                "overrides": [override.pk for override in used],
            },
        )

    def _refuse(
        self, review: Review | None, *, problems: Sequence[Problem] = (), unanswered: Sequence[Question] = ()
    ) -> Refused:
        return refuse(
            prescription=self.prescription,
            review=review,
            what="The hand-over",
            event=Event.DISPENSE_REFUSED,
            by=self.by,
            now=self.now,
            problems=problems,
            unanswered=unanswered,
        )


_UNKNOWN_LENGTH = Problem(
    "prescription",
    "Nobody can say how many days the supply lasts",
    "a strength, a dose and a quantity of at least one day",
    "Ask the prescriber for a complete order.",
)


def _repeated_result(before: Dispense, order: Prescription, quantity: Decimal) -> Dispense:
    if before.prescription_id != order.pk or before.quantity != quantity:
        raise Conflict(
            "This idempotency key was used for another hand-over.",
            Problem("idempotency_key", "a key in use", "a new key for each hand-over"),
        )
    return before


def _take_back(
    dispense: Dispense, status: DispenseStatus, *, event: Event, why: Withdrawal, reason: str, by: Actor, now: datetime
) -> Dispense:
    policies.require(policies.may_end(by), by, "take back a supply", "a pharmacist")
    policies.require_same_pharmacy(by, dispense.pharmacy_id)
    words = clean_line(reason, "reason", longest=250)
    order = lock(dispense.prescription)
    locked = Dispense.objects.select_for_update(of=("self",)).get(pk=dispense.pk)
    if locked.status != DispenseStatus.COMPLETED:
        raise Conflict(
            f"The supply is {locked.get_status_display().lower()} already, since {locked.ended_at:%Y-%m-%d %H:%M} UTC."
        )
    locked.status, locked.ended_at, locked.ended_reason = status, now, words
    locked.save(update_fields=["status", "ended_at", "ended_reason"])
    if status == DispenseStatus.CANCELLED and order.status == PrescriptionStatus.COMPLETED and not order.withdrawn_as:
        order.status, order.ended_at, order.ended_reason = PrescriptionStatus.ACTIVE, None, ""
        order.version += 1
        order.save(update_fields=["status", "ended_at", "ended_reason", "version"])
    follow_therapy(patient_id=locked.patient_id, reason=why, by=by, now=now)
    audit.record(
        event,
        pharmacy=order.pharmacy,
        by=by,
        now=now,
        subject=locked,
        patient=order.patient,
        drug_code=ATC,
        body={"reason": words, "quantity": locked.quantity, "prescription": order.pk},
    )
    return locked


def _check_quantity(quantity: Decimal) -> Decimal:
    if (
        not isinstance(quantity, Decimal)
        or not quantity.is_finite()
        or quantity <= 0
        or quantity > conf().max_quantity
        or (quantity * 2) % 1
    ):
        raise InvalidInput(
            "The quantity is not a number of tablets.",
            Problem("quantity", str(quantity)[:32], f"whole or half tablets, above 0, at most {conf().max_quantity}"),
        )
    return quantity


def _all_handed_over_problem(last: Dispense) -> Problem:
    problem_text = f"{_tablets(last.quantity)} were handed over at {last.handed_over_at:%Y-%m-%d %H:%M} UTC by {last.dispenser_name}; nothing is left"
    return Problem(
        "prescription",
        problem_text,
        "a prescription with something left",
        "Load the prescription again before handing anything over.",
    )


def _expiry_problem(expiry: date, run_out: date) -> Problem:
    problem_text = f"The pack expires on {expiry}, before the supply ends on {run_out - timedelta(days=1)}"
    return Problem(
        "pack.expiry", problem_text, "a pack that lasts as long as the supply", "Pick one with a later expiry."
    )


def _tablets(quantity: Decimal) -> str:
    return f"{format_amount(quantity)} tablets" if quantity != 1 else "1 tablet"
