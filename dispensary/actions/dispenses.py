"""Hand-overs: dispense, cancel, take back. A dispense is one transaction from the review to the reminders."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction

from baclofen_rules.rules import all_rules
from baclofen_rules.therapy import HAND_OVER, Relation
from dispensary import audit, policies
from dispensary.actions import reviews
from dispensary.actions.bags import bag_problems, end_bag, list_open_bags, note_bag
from dispensary.actions.decisions import Decided, check_answers
from dispensary.actions.handover_problems import (
    NEVER_TAKEN,
    UNDECIDED,
    UNKNOWN_LENGTH,
    CountedPack,
    Item,
    check_quantity,
    check_repeated,
    expiry_problems,
    items_problems,
    take_from_record,
)
from dispensary.actions.handover_review import assess_items, find_products
from dispensary.actions.locks import lock
from dispensary.actions.overrides import Answer, open_questions, sign_answers
from dispensary.actions.owed_orders import follow_owed_order
from dispensary.actions.papers import open_work_on_return
from dispensary.actions.prescriptions import end, replace_order
from dispensary.actions.refusals import Refused, refuse
from dispensary.actions.second_signatures import second_problems
from dispensary.actions.summaries import follow_record, follow_therapy
from dispensary.actions.therapy import save_decisions
from dispensary.actors import Actor
from dispensary.assessment import NOT_ASSESSED, Assessment, Question, therapy_of
from dispensary.audit import Event
from dispensary.errors import Conflict, Problem
from dispensary.loading import handed_over_on, read_again, remaining_on
from dispensary.models import (
    Decision,
    Dispense,
    DispenseStatus,
    Override,
    OverrideState,
    Preparation,
    Prescription,
    PrescriptionStatus,
    Product,
    Review,
    ReviewReason,
)
from dispensary.models.reminders import Withdrawal
from dispensary.record import group_orders, order_id
from dispensary.scanning import Pack
from dispensary.text import clean_line

ACKNOWLEDGED_CODES = {NOT_ASSESSED, *(rule.code for rule in all_rules())}
"""The codes that an acknowledgement may name."""
ATC = "M03BX01"
"""Baclofen, as the log files it."""


@audit.retrying
def dispense(
    *,
    prescription: Prescription,
    quantity: Decimal,
    pack: Pack,
    further: Sequence[CountedPack] = (),
    also: Sequence[Item] = (),
    overrides: Sequence[Answer] = (),
    acknowledged: Sequence[str] = (),
    decisions: Sequence[Decided] = (),
    key: str,
    by: Actor,
    now: datetime,
) -> Dispense | Refused:
    """Hand over `quantity` tablets of `pack` on a prescription, or return what stands in the way.

    The order is reviewed anew under a lock on the patient and the order. `further` holds other packs of these tablets, `also`
    the packs of the order's other strengths. `overrides` answer findings with a reason; `acknowledged` names findings that need
    one step only (and `not-assessed`), also of rules that find nothing by now; answers signed before count too. `decisions` say
    how the supply relates to the running courses. `key` is the caller's idempotency key: repeated, it returns the first dispense.
    A refusal is recorded and returned; malformed input raises `InvalidInput` and writes nothing.
    """
    policies.require(policies.may_dispense(by), by, "hand over a medicine", "a technician or pharmacist")
    for item in also:
        policies.require_same_pharmacy(by, item.prescription.pharmacy_id)
        check_quantity(item.quantity)
    for counted in (*further, *(counted for item in also for counted in item.further)):
        check_quantity(counted.quantity)
    policies.require_same_pharmacy(by, prescription.pharmacy_id)
    name = clean_line(key, "idempotency_key", longest=64 - len(also))
    amount = check_quantity(quantity)
    with transaction.atomic():
        locked = lock(prescription)
        before = Dispense.objects.filter(pharmacy_id=locked.pharmacy_id, key=name).first()
        if before is not None:
            return check_repeated(before, locked, amount)
        items = [Item(locked, amount, pack, tuple(further))]
        items += [item._replace(prescription=lock(item.prescription)) for item in also]
        bags = list_open_bags(locked)
        bag = next((bag for bag in bags if bag.prescription_id == locked.pk), None)
        return _Handover(take_from_record(items), bag, bags, overrides, acknowledged, decisions, name, by, now).run()


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
    """One hand-over: its items, the answers given with it, by whom and when."""

    items: Sequence[Item]
    bag: Preparation | None
    """What was prepared for it, where the pharmacy separates the steps."""
    bags: Sequence[Preparation]
    """All bags of the patient that are in the pharmacy, this one among them."""
    overrides: Sequence[Answer]
    acknowledged: Sequence[str]
    decided: Sequence[Decided]
    key: str
    by: Actor
    now: datetime

    def run(self) -> Dispense | Refused:
        """Hand over, or record and return what stands in the way."""
        problems = [*items_problems(self.items), *bag_problems(self.items, self.bag)]
        if problems:
            return self._refuse(None, problems=problems)
        products, product_problems = find_products(self.items, self._today)
        if product_problems:
            return self._refuse(None, problems=product_problems)
        first_assessment = assess_items(self.items, products, self._today)
        decisions = check_answers(
            self.decided, prescription=self.prescription, assessment=first_assessment, by=self.by, now=self.now
        )
        assessment = assess_items(self.items, products, self._today, decisions) if decisions else first_assessment
        frozen_reviews = [
            reviews.freeze(
                subject=item.prescription, assessment=assessment, reason=ReviewReason.DISPENSE, by=self.by, now=self.now
            )
            for item in self.items
        ]
        review = frozen_reviews[0]
        if unanswered := open_questions(self.prescription, assessment, answers=self._answers(assessment)):
            return self._refuse(review, unanswered=unanswered)
        course = assessment.review.course
        if course is None or not course.days_supply or course.run_out_on is None:
            return self._refuse(review, problems=(UNKNOWN_LENGTH,))
        problems = expiry_problems(self.items, course.run_out_on)
        problems += second_problems(self.prescription, self.overrides, assessment, course.days_supply)
        if problems:
            return self._refuse(review, problems=problems)
        return self._hand_over(products, frozen_reviews, first_assessment, assessment, decisions)

    def _answers(self, assessment: Assessment) -> tuple[Answer, ...]:
        """Return the answers to findings; the acknowledgement of a rule that by now finds nothing is none."""
        absent = self._acknowledged_in_vain(assessment)
        return (*self.overrides, *(Answer(finding=code) for code in self.acknowledged if code not in absent))

    def _acknowledged_in_vain(self, assessment: Assessment) -> list[str]:
        codes = {question.code for question in assessment.questions()}
        return [code for code in self.acknowledged if code in ACKNOWLEDGED_CODES and code not in codes]

    @property
    def prescription(self) -> Prescription:
        return self.items[0].prescription

    @property
    def _today(self) -> date:
        return self.prescription.pharmacy.local_day(self.now)

    def _hand_over(
        self,
        products: Sequence[Product],
        frozen_reviews: Sequence[Review],
        first_assessment: Assessment,
        assessment: Assessment,
        decisions: Sequence[Decision],
    ) -> Dispense | Refused:
        order = self.prescription
        after = assessment.after_hand_over()
        relation = None if after is None else after.relate_supply(HAND_OVER)
        # Beside nothing that runs there is nothing to decide: the override of an outdated order says enough.
        if after is None or relation is None or (relation.relation is Relation.UNKNOWN and relation.to):
            return self._refuse(frozen_reviews[0], problems=(UNDECIDED,))
        if not after.label(HAND_OVER):
            return self._refuse(frozen_reviews[0], problems=(NEVER_TAKEN,))
        save_decisions(
            decisions,
            patient=order.patient,
            question=_describe_answered(first_assessment, assessment),
            before=first_assessment.therapy,
            after=after,
            on=self._today,
            by=self.by,
            now=self.now,
        )
        answers = self._answers(assessment)
        sign_answers(subject=order, assessment=assessment, answers=answers, by=self.by, now=self.now)
        used = list(
            order.overrides.filter(
                state=OverrideState.OPEN, fingerprint__in=[q.fingerprint for q in assessment.questions()]
            )
        )
        days = after.supply(HAND_OVER)
        starts_on = next((row.starts_on for row in decisions if row.order_id == order.pk and row.starts_on), None)
        dispenses = [
            Dispense(
                pharmacy_id=order.pharmacy_id,
                patient_id=order.patient_id,
                prescription=item.prescription,
                review=frozen_reviews[number],
                number=len(handed_over_on(item.prescription)) + 1,
                quantity=item.quantity,
                product=product,
                strength_mg=product.strength_mg,
                lot=clean_line(item.pack.lot, "pack.lot", longest=20, required=False),
                expiry=item.pack.expiry,
                serial=clean_line(item.pack.serial, "pack.serial", longest=20, required=False),
                further_packs=[counted.to_json() for counted in item.further],
                starts_on=days.starts_on,
                days_supply=days.days,
                run_out_on=days.run_out_on,
                relation=relation.relation.value,
                relation_how="" if relation.how is None else relation.how.value,
                relation_to=list(relation.to),
                relation_starts_on=starts_on,
                **note_bag(self.bag, self.now),
                handed_over_at=self.now,
                dispensed_by=self.by.name,
                dispenser_name=self.by.display,
                key=self.key if number == 0 else f"{self.key}+{number}"[:64],
            )
            for number, (item, product) in enumerate(zip(self.items, products, strict=True))
        ]
        for row in dispenses:
            row.audit_entry = self._record(row, assessment, used)
            row.save(force_insert=True)
        order.overrides.filter(pk__in=[override.pk for override in used]).update(
            state=OverrideState.USED, dispense=dispenses[0]
        )
        read_again(order.patient, "dispenses", *(["decisions"] if decisions else []))
        for item in self.items:
            if remaining_on(item.prescription) == 0:
                end(item.prescription, PrescriptionStatus.COMPLETED, "everything ordered was handed over", self.now)
        if relation.relation is Relation.CHANGES:
            self._end_replaced(relation.to, assessment)
            read_again(order.patient, "prescriptions")
        if self.bag is not None:
            end_bag(self.bag, dispenses[0], self.now)
        follow_owed_order(dispenses[0], self.by, self.now)
        follow_record(patient=order.patient, bags=self.bags, reason=Withdrawal.NEW_DISPENSE, by=self.by, now=self.now)
        return dispenses[0]

    def _end_replaced(self, courses: Sequence[str], assessment: Assessment) -> None:
        """End the orders whose dose this one takes the place of: of the same prescriber, or named by this order."""
        order = self.prescription
        sources = {assessment.therapy.course(name).source for name in courses}
        for products in group_orders(order.patient.prescriptions.all()):
            is_replaced = order_id(products) in sources and order not in products
            is_named = order.replaces_id in {row.pk for row in products}
            for row in products:
                is_active = row.status == PrescriptionStatus.ACTIVE
                if is_replaced and is_active and (is_named or row.prescriber_id == order.prescriber_id):
                    replace_order(lock(row), order, self.by, self.now)

    def _record(self, dispense: Dispense, assessment: Assessment, used: Sequence[Override]) -> uuid.UUID:
        in_vain = self._acknowledged_in_vain(assessment)
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
                "prescription": dispense.prescription_id,
                "review": dispense.review_id,
                "quantity": dispense.quantity,
                "strength_mg": dispense.strength_mg,
                "pack": {
                    "gtin": dispense.product_id,
                    "lot": dispense.lot,
                    "expiry": dispense.expiry,
                    "serial": dispense.serial,
                },
                "further_packs": dispense.further_packs,
                "starts_on": dispense.starts_on,
                "days_supply": dispense.days_supply,
                "run_out_on": dispense.run_out_on,
                "relation": dispense.relation,
                "relation_how": dispense.relation_how,
                "relation_to": dispense.relation_to,
                "overrides": [override.pk for override in used],
            }
            | ({"acknowledged_in_vain": in_vain} if in_vain else {}),
        )

    def _refuse(
        self, review: Review | None, *, problems: Sequence[Problem] = (), unanswered: Sequence[Question] = ()
    ) -> Refused:
        return refuse(
            subject=self.prescription,
            review=review,
            what="The hand-over",
            event=Event.DISPENSE_REFUSED,
            by=self.by,
            now=self.now,
            problems=problems,
            unanswered=unanswered,
        )


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
    before = therapy_of(locked.patient, locked.pharmacy.local_day(now))
    locked.status, locked.ended_at, locked.ended_reason = status, now, words
    locked.save(update_fields=["status", "ended_at", "ended_reason"])
    if status == DispenseStatus.CANCELLED and order.status == PrescriptionStatus.COMPLETED and not order.withdrawn_as:
        order.status, order.ended_at, order.ended_reason = PrescriptionStatus.ACTIVE, None, ""
        order.version += 1
        order.save(update_fields=["status", "ended_at", "ended_reason", "version"])
    follow_owed_order(locked, by, now)
    after = follow_therapy(patient_id=locked.patient_id, reason=why, by=by, now=now)
    open_work_on_return(locked.patient, before, after, by, now)
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


def _describe_answered(first_assessment: Assessment, assessment: Assessment) -> str:
    """Return the findings that the decisions answered, as the counter showed them."""
    left = {question.fingerprint for question in assessment.questions()}
    return " ".join(f"{q.summary}." for q in first_assessment.questions() if q.fingerprint not in left)
