"""Hand-overs: dispense, cancel, take back. A dispense is one transaction from the review to the reminders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Model

from baclofen_rules.rules import all_rules
from baclofen_rules.therapy import HAND_OVER, Relation, Therapy
from dispensary import audit, policies
from dispensary.actions import reviews, transactions
from dispensary.actions.bags import bag_problems, end_bag
from dispensary.actions.decisions import Decided, check_answers
from dispensary.actions.handover_problems import (
    NEVER_TAKEN,
    UNDECIDED,
    CountedPack,
    Item,
    check_quantity,
    check_repeated,
    expiry_problems,
    explain_unknown_length,
    items_problems,
    key_in_use,
    list_gtins,
)
from dispensary.actions.handover_review import ATC, assess_items, build_dispense, find_products, log_dispense
from dispensary.actions.locks import lock, lock_record
from dispensary.actions.order_states import end_claim
from dispensary.actions.overrides import Answer, open_questions, sign_answers
from dispensary.actions.owed_orders import follow_owed_order
from dispensary.actions.papers import open_work_on_return
from dispensary.actions.prescriptions import end, replace_order
from dispensary.actions.refusals import Refused, refuse
from dispensary.actions.reviews import Frozen
from dispensary.actions.second_signatures import second_problems
from dispensary.actions.summaries import follow_record, follow_therapy
from dispensary.actions.therapy import save_decisions
from dispensary.actors import Actor
from dispensary.answered import NOT_KNOWN
from dispensary.assessment import Assessment, therapy_of
from dispensary.audit import Event
from dispensary.errors import Conflict, Problem, Stale
from dispensary.loading import Record, add_answers, add_decisions, add_dispenses
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
from dispensary.questions import NOT_ASSESSED, Question
from dispensary.rows import group_orders, order_id, supplies_of
from dispensary.scanning import Pack
from dispensary.statements import insert, list_rows, remember_related
from dispensary.text import clean_line

ACKNOWLEDGED_CODES = {NOT_ASSESSED, NOT_KNOWN, *(rule.code for rule in all_rules())}
"""The codes that an acknowledgement may name."""


@audit.retrying
@transactions.atomic
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
    items = [Item(prescription, amount, pack, tuple(further)), *also]
    patient_id = prescription.patient_id
    order_ids = {item.prescription.pk for item in items if item.prescription.patient_id == patient_id}
    record = lock_record(patient_id, order_ids, list_gtins(items))
    before = next((row for row in supplies_of(record.patient) if row.key == name), None)
    if before is not None:
        return check_repeated(before, prescription, amount)
    orders = record.orders
    items = [item._replace(prescription=orders.get(item.prescription.pk, item.prescription)) for item in items]
    return _Handover(record, items, overrides, acknowledged, decisions, name, by, now).run()


@transaction.atomic
def cancel(*, dispense: Dispense, reason: str, version: int | None = None, by: Actor, now: datetime) -> Dispense:
    """Undo a hand-over that never left the counter. The order may be dispensed again."""
    return _take_back(
        dispense,
        DispenseStatus.CANCELLED,
        event=Event.DISPENSE_CANCELLED,
        why=Withdrawal.DISPENSE_CANCELLED,
        reason=reason,
        version=version,
        by=by,
        now=now,
    )


@transaction.atomic
def return_(*, dispense: Dispense, reason: str, version: int | None = None, by: Actor, now: datetime) -> Dispense:
    """Take back a supply that the patient brought back. It is not put on the shelf, and the order stays as it is."""
    return _take_back(
        dispense,
        DispenseStatus.RETURNED,
        event=Event.DISPENSE_RETURNED,
        why=Withdrawal.DISPENSE_RETURNED,
        reason=reason,
        version=version,
        by=by,
        now=now,
    )


@dataclass(frozen=True, slots=True)
class _Handover:
    """One hand-over: its items, the answers given with it, by whom and when."""

    record: Record
    """The patient's, read under the lock."""
    items: Sequence[Item]
    overrides: Sequence[Answer]
    acknowledged: Sequence[str]
    decided: Sequence[Decided]
    key: str
    by: Actor
    now: datetime

    def run(self) -> Dispense | Refused:
        """Hand over, or record and return what stands in the way."""
        problems = [*items_problems(self.items), *bag_problems(self.items, self._bag)]
        if problems:
            return self._refuse(None, problems=problems)
        products, product_problems = find_products(self.items, self._today, self.record.products)
        if product_problems:
            return self._refuse(None, problems=product_problems)
        first_assessment = assess_items(self.items, products, self._today)
        decisions = check_answers(
            self.decided, prescription=self.prescription, assessment=first_assessment, by=self.by, now=self.now
        )
        assessment = assess_items(self.items, products, self._today, decisions) if decisions else first_assessment
        unanswered = open_questions(self.prescription, assessment, answers=self._answers(assessment))
        frozen_reviews = [
            reviews.build_review(
                subject=item.prescription, assessment=assessment, reason=ReviewReason.DISPENSE, by=self.by, now=self.now
            )
            for item in self.items
        ]
        after = None if unanswered else assessment.after_hand_over()
        problems = [] if unanswered else self._problems_of(assessment, after)
        if after is None or unanswered or problems:
            reviews.store(frozen_reviews)
            return self._refuse(frozen_reviews[0].review, problems=problems, unanswered=unanswered)
        return self._hand_over(products, frozen_reviews, first_assessment, assessment, decisions, after=after)

    def _problems_of(self, assessment: Assessment, after: Therapy | None) -> list[Problem]:
        """Return what stands in the way when every finding is answered. `after` is the therapy with the hand-over."""
        course = assessment.review.course
        if course is None or not course.days_supply or course.run_out_on is None:
            return [explain_unknown_length(self.items)]
        problems = expiry_problems(self.items, course.run_out_on)
        problems += second_problems(self.prescription, self.overrides, assessment, course.days_supply)
        if problems:
            return problems
        relation = None if after is None else after.relate_supply(HAND_OVER)
        # Beside nothing that runs there is nothing to decide: the override of an outdated order says enough.
        if after is None or relation is None or (relation.relation is Relation.UNKNOWN and relation.to):
            return [UNDECIDED]
        return [] if after.label(HAND_OVER) else [NEVER_TAKEN]

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
    def _bag(self) -> Preparation | None:
        """What was prepared for it, where the pharmacy separates the steps."""
        return next((bag for bag in self.record.bags if bag.prescription_id == self.prescription.pk), None)

    @property
    def _today(self) -> date:
        return self.prescription.pharmacy.local_day(self.now)

    def _hand_over(
        self,
        products: Sequence[Product],
        frozen_reviews: Sequence[Frozen],
        first_assessment: Assessment,
        assessment: Assessment,
        decisions: Sequence[Decision],
        *,
        after: Therapy,
    ) -> Dispense:
        order, relation = self.prescription, after.relate_supply(HAND_OVER)
        if relation is None:
            raise AssertionError("a supply without a relation is refused before")
        answers = self._answers(assessment)
        entries = [frozen.entry for frozen in frozen_reviews]
        rows: list[Model] = [row for frozen in frozen_reviews for row in frozen.rows]
        if decisions or answers:  # these write their own, after those of the review
            reviews.store(frozen_reviews)
            entries, rows = [], []
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
        add_decisions(order.patient, decisions)
        signed = sign_answers(subject=order, assessment=assessment, answers=answers, by=self.by, now=self.now)
        add_answers(order, signed)
        fingerprints = {question.fingerprint for question in assessment.questions()}
        used = [
            row
            for row in list_rows(order, "overrides")
            if row.state == OverrideState.OPEN and row.fingerprint in fingerprints
        ]
        days = after.supply(HAND_OVER)
        starts_on = next((row.starts_on for row in decisions if row.order_id == order.pk and row.starts_on), None)
        dispenses = [
            build_dispense(
                item,
                product,
                days=days,
                relation=relation,
                bag=self._bag,
                at=self.now,
                review=frozen_reviews[number].review,
                number=len(list_rows(item.prescription, "dispenses")) + 1,
                relation_starts_on=starts_on,
                dispensed_by=self.by.name,
                dispenser_name=self.by.display,
                key=self.key if number == 0 else f"{self.key}+{number}"[:64],
            )
            for number, (item, product) in enumerate(zip(self.items, products, strict=True))
        ]
        in_vain = self._acknowledged_in_vain(assessment)
        entries += [log_dispense(row, assessment, used, in_vain, self.by) for row in dispenses]
        for row, entry in zip(dispenses, audit.record_all(entries)[-len(dispenses) :], strict=True):
            row.audit_entry = entry
        try:
            insert([*rows, *dispenses])
        except IntegrityError as error:  # another patient's: those of this one were read under the lock
            if "dispense_key_unique" not in str(error):
                raise
            raise key_in_use() from None
        self._use(used, dispenses)
        add_dispenses(dispenses)
        for item in self.items:
            if item.prescription.remaining() == 0:
                end(item.prescription, PrescriptionStatus.COMPLETED, "everything ordered was handed over", self.now)
        if relation.relation is Relation.CHANGES:
            end_replaced(order, relation.to, assessment.therapy, self.by, self.now)
        if self._bag is not None:
            end_bag(self._bag, dispenses[0], self.now)
        end_claim(order, self.by)
        follow_owed_order(dispenses[0], self.by, self.now)
        follow_record(record=self.record, reason=Withdrawal.NEW_DISPENSE, by=self.by, now=self.now)
        return dispenses[0]

    def _use(self, answers: Sequence[Override], dispenses: Sequence[Dispense]) -> None:
        """Note that a hand-over used these answers."""
        first, *others = dispenses
        for answer in answers:
            answer.state, answer.dispense = OverrideState.USED, first
        if answers:
            Override.objects.bulk_update(answers, ["state", "dispense"])
        remember_related(first, "overrides", answers)
        for row in others:
            remember_related(row, "overrides", [])

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


def end_replaced(order: Prescription, courses: Sequence[str], therapy: Therapy, by: Actor, now: datetime) -> None:
    """End the orders whose dose a handed-over one takes the place of: of the same prescriber, or named by that order."""
    sources = {therapy.course(name).source for name in courses}
    for products in group_orders(list_rows(order.patient, "prescriptions")):
        is_replaced = order_id(products) in sources and order not in products
        is_named = order.replaces_id in {row.pk for row in products}
        for row in products:
            is_active = row.status == PrescriptionStatus.ACTIVE
            if is_replaced and is_active and (is_named or row.prescriber_id == order.prescriber_id):
                lock(row)
                replace_order(row, order, by, now)


def _take_back(
    dispense: Dispense,
    status: DispenseStatus,
    *,
    event: Event,
    why: Withdrawal,
    reason: str,
    version: int | None,
    by: Actor,
    now: datetime,
) -> Dispense:
    policies.require(policies.may_end(by), by, "take back a supply", "a pharmacist")
    policies.require_same_pharmacy(by, dispense.pharmacy_id)
    words = clean_line(reason, "reason", longest=250)
    order = lock(dispense.prescription)
    locked = Dispense.objects.select_for_update(of=("self",)).get(pk=dispense.pk)
    if version is not None and locked.version != version:
        raise Stale("The supply was taken back meanwhile. Load it again.")
    if locked.status != DispenseStatus.COMPLETED:
        raise Conflict(
            f"The supply is {locked.get_status_display().lower()} already, since {locked.ended_at:%Y-%m-%d %H:%M} UTC."
        )
    before = therapy_of(order.patient, locked.pharmacy.local_day(now))
    locked.status, locked.ended_at, locked.ended_reason = status, now, words
    locked.save(update_fields=["status", "ended_at", "ended_reason"])
    if status == DispenseStatus.CANCELLED and order.status == PrescriptionStatus.COMPLETED and not order.withdrawn_as:
        order.status, order.ended_at, order.ended_reason = PrescriptionStatus.ACTIVE, None, ""
        order.version += 1
        order.save(update_fields=["status", "ended_at", "ended_reason", "version"])
    follow_owed_order(locked, by, now)
    after = therapy_of(order.patient, locked.pharmacy.local_day(now))
    open_work_on_return(order.patient, before, after, by, now)
    follow_therapy(patient_id=order.patient_id, reason=why, by=by, now=now)
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
