"""Late entries: what was handed over while nothing worked, typed in from paper with its true time.

No rule stops one, since the tablets have left the counter: the review is made as of then, kept with the hand-over, and becomes a
pharmacist's work. Only what cannot have happened is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction

from baclofen_rules.text import format_amount
from baclofen_rules.therapy import HAND_OVER, OrderRelation, Relation, SupplyDays
from dispensary import audit, policies
from dispensary.actions import reviews
from dispensary.actions.bags import end_bag, find_open_bag
from dispensary.actions.dispenses import end_replaced
from dispensary.actions.handover_problems import (
    CountedPack,
    Item,
    check_quantity,
    check_repeated,
    key_in_use,
    packs_problems,
)
from dispensary.actions.handover_review import (
    assess_items,
    assess_items_of_then,
    build_dispense,
    find_products,
    log_dispense,
)
from dispensary.actions.locks import lock
from dispensary.actions.owed_orders import follow_owed_order
from dispensary.actions.papers import open_work_on_late_entry
from dispensary.actions.prescriptions import end
from dispensary.actions.summaries import follow_therapy
from dispensary.actors import Actor
from dispensary.assessment import Assessment, therapy_of
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.handover import order_number
from dispensary.models import (
    Dispense,
    DispenseStatus,
    FindingSeverity,
    Preparation,
    Prescription,
    PrescriptionStatus,
    Product,
    Review,
    ReviewReason,
    Source,
    StaffMember,
    WorkKind,
)
from dispensary.models.reminders import Withdrawal
from dispensary.questions import Question
from dispensary.reminders.work import open_or_add
from dispensary.scanning import Pack
from dispensary.text import clean_line, clean_words

MOST_DAYS_AGO = 14
"""Days after which a hand-over is no late entry any more [D]: what is older is recorded as an earlier supply."""


@audit.retrying
def record_late(
    *,
    prescription: Prescription,
    quantity: Decimal,
    pack: Pack,
    further: Sequence[CountedPack] = (),
    also: Sequence[Item] = (),
    handed_over_at: datetime,
    handed_over_by: str,
    words: str = "",
    key: str,
    by: Actor,
    now: datetime,
) -> Dispense:
    """Record what was handed over at an earlier time, by whom, and open a pharmacist's review of it.

    `further`, `also` and `key` are those of `dispenses.dispense`. `handed_over_by` is the name on the paper, `words` what stands there
    about limits: why in spite of them, and who agreed. Raises `InvalidInput` for what cannot have happened, and `Conflict`
    for a hand-over that is recorded already and for a key that was used for another one; then nothing is written.
    """
    policies.require(policies.may_dispense(by), by, "record a hand-over", "a technician or pharmacist")
    items = [Item(prescription, check_quantity(quantity), pack, tuple(further)), *also]
    for item in items:
        policies.require_same_pharmacy(by, item.prescription.pharmacy_id)
        for number in (item.quantity, *(counted.quantity for counted in item.further)):
            check_quantity(number)
    name = clean_line(key, "idempotency_key", longest=64 - len(also))
    person = clean_line(handed_over_by, "handed_over_by", longest=120)
    note = clean_words(words, "words", longest=2000, required=False)
    with transaction.atomic():
        items = [item._replace(prescription=lock(item.prescription)) for item in items]
        order = items[0].prescription
        before = Dispense.objects.filter(pharmacy_id=order.pharmacy_id, key=name).first()
        if before is not None:
            return _check_repeated(before, items[0], handed_over_at)
        problems = [*_time_problems(order, handed_over_at, now), *packs_problems(items)]
        products, wrong_packs = find_products(items, None)
        problems += wrong_packs
        if problems:
            raise InvalidInput("This cannot have been handed over so.", *problems)
        _refuse_recorded(items, handed_over_at)
        return _LateEntry(items, products, handed_over_at, person, note, name, by, now).write()


@dataclass(frozen=True, slots=True)
class _LateEntry:
    """One hand-over of then, all strengths of its order, checked."""

    items: Sequence[Item]
    products: Sequence[Product]
    at: datetime
    person: str
    words: str
    key: str
    by: Actor
    now: datetime

    def write(self) -> Dispense:
        """Write review, hand-over and what follows from it. Returns the first row."""
        order, by, now = self.order, self.by, self.now
        today = order.pharmacy.local_day(now)
        before = therapy_of(order.patient, today)
        assessment, is_of_then = self._assess(today)
        frozen_reviews = [
            reviews.freeze(subject=item.prescription, assessment=assessment, reason=ReviewReason.LATE, by=by, now=now)
            for item in self.items
        ]
        after = assessment.after_hand_over()
        relation = None if after is None else after.relate_supply(HAND_OVER)
        days = SupplyDays(self.day, self.day)
        if after is not None and relation is not None:
            days = after.supply(HAND_OVER)
        bag = self._bag()
        dispenses = self._rows(frozen_reviews, relation, days, bag)
        entries = audit.record_all(log_dispense(row, assessment, (), (), by) for row in dispenses)
        for row, entry in zip(dispenses, entries, strict=True):
            row.audit_entry = entry
            row.save(force_insert=True)
        if bag is not None:
            end_bag(bag, dispenses[0], now)
        for item in self.items:
            if item.prescription.status == PrescriptionStatus.ACTIVE and item.prescription.remaining() == 0:
                end(item.prescription, PrescriptionStatus.COMPLETED, "everything ordered was handed over", now)
        came_later = Dispense.objects.completed().filter(
            prescription__patient=order.patient, handed_over_at__gt=self.at
        )
        if relation is not None and relation.relation is Relation.CHANGES and not came_later.exists():
            end_replaced(order, relation.to, assessment.therapy, by, now)
        follow_owed_order(dispenses[0], by, now)
        therapy = follow_therapy(patient_id=order.patient_id, reason=Withdrawal.NEW_DISPENSE, by=by, now=now)
        open_work_on_late_entry(dispenses[0], before, therapy, by, now)
        self._open_work(dispenses[0], assessment.questions(), relation, is_known=bool(days.days), is_of_then=is_of_then)
        return dispenses[0]

    @property
    def order(self) -> Prescription:
        return self.items[0].prescription

    @property
    def day(self) -> date:
        """The pharmacy's day of the hand-over."""
        return self.order.pharmacy.local_day(self.at)

    def _assess(self, today: date) -> tuple[Assessment, bool]:
        """Return the review as of then; as of today where the record of then cannot be read, with False."""
        try:
            return assess_items_of_then(self.items, self.products, self.at), True
        except InvalidInput:
            return assess_items(self.items, self.products, today), False

    def _bag(self) -> Preparation | None:
        """Return the bag of the order that holds as many tablets and was prepared before; another one stays where it is."""
        bag = find_open_bag(self.order)
        if bag is None or bag.prepared_at > self.at:
            return None
        in_bag = {stored["prescription"]: Decimal(stored["first"]["quantity"]) for stored in bag.bag}
        return bag if in_bag == {str(item.prescription.pk): item.quantity for item in self.items} else None

    def _rows(
        self,
        frozen_reviews: Sequence[Review],
        relation: OrderRelation | None,
        days: SupplyDays,
        bag: Preparation | None,
    ) -> list[Dispense]:
        members = StaffMember.objects.filter(pharmacy_id=self.order.pharmacy_id, display_name__iexact=self.person)[:2]
        return [
            build_dispense(
                item,
                product,
                days=days,
                relation=relation,
                bag=bag,
                at=self.at,
                review=frozen_reviews[number],
                number=item.prescription.dispenses.count() + 1,
                dispensed_by=members[0].actor().name if len(members) == 1 else "",
                dispenser_name=self.person,
                key=self.key if number == 0 else f"{self.key}+{number}"[:64],
                recorded_at=self.now,
                recorded_by=self.by.name,
                recorder_name=self.by.display,
                late_words=self.words,
            )
            for number, (item, product) in enumerate(zip(self.items, self.products, strict=True))
        ]

    def _open_work(
        self,
        dispense: Dispense,
        questions: Sequence[Question],
        relation: OrderRelation | None,
        *,
        is_known: bool,
        is_of_then: bool,
    ) -> None:
        order, zone_day = self.order, f"{self.day:%d %b %Y}"
        amounts = " and ".join(
            f"{format_amount(item.quantity)} tablets of {format_amount(product.strength_mg)} mg"
            for item, product in zip(self.items, self.products, strict=True)
        )
        graves = [q for q in questions if q.severity in {FindingSeverity.STOP, FindingSeverity.OVERRIDE}]
        parts = [f"{amounts}, handed over on {zone_day}, No. {order_number(order)}."]
        if not is_known:
            parts.append("Nobody can say how many days it lasts.")
        if not is_of_then:
            parts.append("Reviewed as of today: the record of then cannot be read.")
        if graves:
            more = f" (and {len(graves) - 1} more)" if len(graves) > 1 else ""
            parts.append(f"A rule would have asked: {graves[0].summary}{more}.")
        open_or_add(
            WorkKind.LATE_ENTRY, pharmacy_id=order.pharmacy_id, patient_id=order.patient_id,
            reason=" ".join(parts)[:300], by=self.by, now=self.now,
        )  # fmt: skip
        if relation is not None and relation.relation is Relation.UNKNOWN and relation.to:
            open_or_add(
                WorkKind.RELATION_UNKNOWN, pharmacy_id=order.pharmacy_id, patient_id=order.patient_id,
                reason=f"Nobody said how the supply of {zone_day}, No. {order_number(order)}, stands to what was taken.",
                by=self.by, now=self.now,
            )  # fmt: skip


def _check_repeated(before: Dispense, item: Item, handed_over_at: datetime) -> Dispense:
    """Return the hand-over that a repeated key was used for. Raises `Conflict` where that was another one."""
    check_repeated(before, item.prescription, item.quantity)
    if not before.is_late_entry or before.handed_over_at != handed_over_at:
        raise key_in_use()
    return before


def _refuse_recorded(items: Sequence[Item], handed_over_at: datetime) -> None:
    """Raise `Conflict` for tablets of an order that are recorded at the same minute with the same quantity and lot."""
    minute = handed_over_at.replace(second=0, microsecond=0)
    for item in items:
        recorded = item.prescription.dispenses.filter(
            status=DispenseStatus.COMPLETED, quantity=item.quantity, lot__iexact=item.pack.lot.strip(),
            handed_over_at__gte=minute, handed_over_at__lt=minute + timedelta(minutes=1),
        ).first()  # fmt: skip
        if recorded is not None:
            raise Conflict(
                "This hand-over is recorded already.",
                Problem(
                    "handed_over_at",
                    f"the same tablets, recorded by {recorded.recorder_name or recorded.dispenser_name}",
                    "a hand-over that is not recorded yet",
                    "Look at the patient's supplies.",
                ),
            )


def _time_problems(order: Prescription, at: datetime, now: datetime) -> Iterator[Problem]:
    """Yield why the tablets cannot have been handed over at that time."""
    zone, patient = order.pharmacy.local_day, order.patient
    day, earliest = zone(at), now - timedelta(days=MOST_DAYS_AGO)
    if at > now:
        yield _time_problem(
            "a time that has not come", "a time up to now", "Type day and time as they stand on the paper."
        )
    if at < earliest:
        yield _time_problem(
            f"more than {MOST_DAYS_AGO} days ago",
            f"a time in the last {MOST_DAYS_AGO} days",
            "Record it as an earlier supply on the patient's page.",
        )
    written_on = order.written_on or zone(order.received_at)
    if order.source != Source.EMERGENCY and day < written_on:
        yield _time_problem(
            f"before the order, which is of {written_on}",
            f"a time from {written_on} on",
            "Look for the order that it was handed over on.",
        )
    if patient.birth_date is not None and day < patient.birth_date:
        yield _time_problem("before the patient was born", f"a time from {patient.birth_date} on")
    if patient.died_on is not None and day > patient.died_on:
        yield _time_problem(
            f"after the patient died, on {patient.died_on}", f"a time up to {patient.died_on}", "Check the record."
        )


def _time_problem(given: str, expected: str, next_step: str = "") -> Problem:
    return Problem("handed_over_at", given, expected, next_step)
