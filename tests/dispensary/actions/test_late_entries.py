"""What was handed over while nothing worked is recorded with its true time; no rule stops it, and a pharmacist reviews it."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from dispensary import audit
from dispensary.actions import dispenses, emergencies, patients, worklist
from dispensary.actions.bags import pack_bag
from dispensary.actions.handover_problems import CountedPack, Item
from dispensary.actions.late_entries import MOST_DAYS_AGO, record_late
from dispensary.assessment import therapy_of
from dispensary.audit import Event
from dispensary.audit.checks.reconcile import reconcile
from dispensary.errors import Conflict, InvalidInput, NotAllowed
from dispensary.handover import handed_over, select_dispenses
from dispensary.models import (
    AuditEntry,
    Dispense,
    Preparation,
    PrescriptionStatus,
    Reminder,
    Resolution,
    ReviewReason,
    StaffRole,
    Stage,
    WorkKind,
    WorklistItem,
    WorkState,
)
from tests.dispensary import make
from tests.dispensary.audit.linking import flush_links
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db

YESTERDAY = NOW - timedelta(days=1)


@pytest.fixture
def shop():
    make.products()
    return make.pharmacy(now=NOW - timedelta(days=60))


@pytest.fixture
def member(shop):
    return make.staff(shop, StaffRole.TECHNICIAN)


@pytest.fixture
def by(member):
    return member.actor()


@pytest.fixture
def order(shop):
    """42 tablets for 28 days, taken in three days ago."""
    then = NOW - timedelta(days=3)
    return make.prescription(make.patient(shop, now=then), now=then)


def late(order, by, **changes):
    entry = {
        "quantity": Decimal(42), "pack": make.pack(), "handed_over_at": YESTERDAY, "handed_over_by": "Pat Locum", "key": "k1", "now": NOW,
    } | changes  # fmt: skip
    return record_late(prescription=order, by=by, **entry)


def problem(error) -> tuple[str, str]:
    (only,) = error.value.problems
    return only.field, only.given


def test_the_record_says_the_true_time_and_person_and_who_typed_it_when(order, by):
    done = late(order, by, words="The clinic agreed by telephone.")
    assert (done.handed_over_at, done.dispenser_name, done.dispensed_by) == (YESTERDAY, "Pat Locum", "")
    assert (done.recorded_at, done.recorded_by, done.recorder_name) == (NOW, by.name, by.display)
    assert (done.late_words, done.lot, done.expiry) == ("The clinic agreed by telephone.", "A1B2", make.pack_expiry())
    assert (done.starts_on, done.days_supply) == (YESTERDAY.date(), 28)


def test_a_member_of_staff_named_on_the_paper_is_found(order, by, shop):
    handed = make.staff(shop, now=NOW)
    done = late(order, by, handed_over_by=handed.display_name.upper())
    assert done.dispensed_by == handed.actor().name


def test_the_log_marks_it_and_says_the_same_as_the_row(order, by):
    done = late(order, by)
    flush_links()
    (line,) = [
        line for line in audit.history(done, pharmacy=order.pharmacy) if line.entry.action == Event.DISPENSED_LATE
    ]
    assert "recorded late that" in line.sentence
    assert line.body["handed_over_at"].startswith("2026-11-21T10:00:00")
    assert (line.entry.actor, line.entry.patient_ref) == (by.name, str(order.patient_id))
    assert [orphan for orphan in reconcile() if orphan.id == str(done.pk)] == []


@pytest.mark.parametrize(
    ("column", "value"),
    [("handed_over_at", NOW), ("late_words", "other words"), ("recorder_name", "Somebody"), ("dispenser_name", "Somebody"), ("recorded_at", NOW + timedelta(hours=1))],
)  # fmt: skip
def test_a_changed_column_is_named_by_the_nightly_comparison(order, by, column, value):
    done = late(order, by)
    flush_links()
    make.let_rows_change("dispensary_dispense")
    make.change_past_actions(Dispense.objects.filter(pk=done.pk), **{column: value})
    assert [orphan.detail.split(" is ")[0] for orphan in reconcile() if orphan.id == str(done.pk)] == [column]


def test_a_hand_over_of_the_counter_made_a_late_one_is_an_entry_without_its_row(order, shop):
    done = make.hand_over(order, make.staff(shop).actor())
    flush_links()
    make.let_rows_change("dispensary_dispense")
    make.change_past_actions(
        Dispense.objects.filter(pk=done.pk), recorded_at=NOW, recorded_by="user:1", recorder_name="Somebody"
    )
    kinds = {orphan.kind.value for orphan in reconcile() if orphan.id == str(done.pk)}
    assert kinds >= {"row without entry", "entry without row"}


def test_therapy_and_messages_count_from_the_true_time(order, by):
    late(order, by)
    therapy = therapy_of(order.patient, NOW.date())
    assert therapy.day(YESTERDAY.date()).mg == 15
    assert therapy.threads[0].first_uncovered == YESTERDAY.date() + timedelta(days=28)
    assert Reminder.objects.filter(patient=order.patient).exists()


def test_the_order_ends_when_everything_was_handed_over(order, by):
    late(order, by, quantity=Decimal(41))
    order.refresh_from_db()
    assert order.status == PrescriptionStatus.ACTIVE
    late(order, by, quantity=Decimal(1), key="k2", handed_over_at=YESTERDAY + timedelta(hours=1))
    order.refresh_from_db()
    assert order.status == PrescriptionStatus.COMPLETED


# --- no rule stops it -------------------------------------------------------------------------------------------------


def test_a_dose_above_the_maximum_is_recorded_with_its_finding_and_becomes_work(shop, by):
    high = [{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}]
    then = NOW - timedelta(days=3)
    order = make.prescription(make.patient(shop, now=then), now=then, phases=high, quantity=294)
    done = late(order, by, quantity=Decimal(294))
    assert done.review.reason == ReviewReason.LATE
    assert "daily-maximum" in {finding.code for finding in done.review.findings.all()}
    work = WorklistItem.objects.get(patient=order.patient, kind=WorkKind.LATE_ENTRY)
    assert "A rule would have asked:" in work.reason
    assert AuditEntry.objects.filter(action="worklist.opened", reason_code="late-entry").count() == 1


def test_more_than_is_left_of_an_ended_order_is_recorded(order, by, shop):
    make.hand_over(order, make.staff(shop).actor(), now=NOW - timedelta(days=2))
    done = late(order, by)
    assert done.number == 2
    assert order.dispenses.count() == 2


def test_an_order_that_was_cancelled_meanwhile_is_recorded(order, by, shop):
    dispenses.end(order, PrescriptionStatus.CANCELLED, "by mistake", NOW)
    done = late(order, by)
    order.refresh_from_db()
    assert order.status == PrescriptionStatus.CANCELLED
    assert done.days_supply in {0, 28}


def test_an_expired_pack_is_recorded_with_its_finding(order, by):
    done = late(order, by, pack=make.pack(expiry=date(2025, 1, 31)))
    assert "pack-expiry" in {finding.code for finding in done.review.findings.all()}


def test_another_strength_than_ordered_is_recorded(order, by):
    done = late(order, by, pack=make.pack(make.TWENTY_FIVE_MG))
    assert done.strength_mg == 25


def test_tablets_whose_dose_nobody_knows_are_recorded_and_cover_no_day(shop, by):
    then = NOW - timedelta(days=3)
    order = make.prescription(make.patient(shop, now=then), now=then, phases=None, directions="as the clinic said")
    done = late(order, by)
    assert (done.days_supply, done.run_out_on) == (0, YESTERDAY.date())
    work = WorklistItem.objects.get(patient=order.patient, kind=WorkKind.LATE_ENTRY)
    assert "Nobody can say how many days it lasts." in work.reason
    assert handed_over(select_dispenses().get(pk=done.pk), NOW.date()).run_out_on == YESTERDAY.date()


def test_facts_that_were_recorded_since_count_and_stop_nothing(order, by, shop):
    pharmacist = make.staff(shop).actor()
    facts = {"egfr": Decimal(25), "egfr_on": NOW.date().isoformat(), "weight_kg": Decimal(71)}
    patients.update_facts(patient=order.patient, changes=facts, by=pharmacist, now=NOW)
    done = late(order, by)
    assert any(finding.code.startswith("renal") for finding in done.review.findings.all())


def test_the_review_knows_what_was_supplied_before_and_nothing_after(order, by, shop):
    """A supply at the counter after the downtime is nothing that the review of then could have found early."""
    make.hand_over(order, make.staff(shop).actor(), now=YESTERDAY + timedelta(hours=2), quantity=Decimal(21))
    codes = {finding.code for finding in late(order, by, quantity=Decimal(21)).review.findings.all()}
    assert not codes & {"early-refill", "duplicate-supply", "leftover-supply"}


def test_an_order_that_was_typed_in_after_its_hand_over_is_recorded_and_its_page_opens(shop, by):
    """The paper came with the patient while nothing worked."""
    order = make.prescription(make.patient(shop, now=NOW), now=NOW)
    done = late(order, by)
    made = handed_over(select_dispenses().get(pk=done.pk), NOW.date())
    assert made.run_out_on == done.run_out_on
    assert done.days_supply == 28


def test_an_emergency_supply_of_then_is_recorded_before_its_own_order(shop, by):
    then = NOW - timedelta(days=29)
    first = make.prescription(make.patient(shop, now=then), now=then)
    pharmacist = make.staff(shop).actor()
    make.hand_over(first, pharmacist, now=then)
    arranged = emergencies.arrange(patient=first.patient, days=2, strength_mg=Decimal(10), by=pharmacist, now=NOW)
    done = late(arranged.prescription, by, quantity=arranged.prescription.quantity)
    assert done.handed_over_at == YESTERDAY
    assert handed_over(select_dispenses().get(pk=done.pk), NOW.date()).supply == str(done.pk)
    assert WorklistItem.objects.filter(patient=first.patient, kind=WorkKind.ORDER_OWED).exists()


@pytest.mark.parametrize(
    ("quantity", "before", "is_ended"),
    [(42, 1, True), (21, 1, False), (42, -1, False)],
    ids=["the bag", "other tablets", "prepared after it"],
)
def test_the_bag_that_was_handed_over_is_ended_and_another_stays(order, by, quantity, before, is_ended):
    bag = Preparation.objects.create(
        pharmacy=order.pharmacy, prescription=order, prepared_by="user:9", preparer_name="Tess",
        prepared_at=YESTERDAY - timedelta(minutes=before), bag=pack_bag([Item(order, Decimal(42), make.pack())]),
    )  # fmt: skip
    done = late(order, by, quantity=Decimal(quantity))
    bag.refresh_from_db()
    assert bag.stage == (Stage.HANDED_OVER if is_ended else Stage.PREPARED)
    assert done.prepared_at == (bag.prepared_at if is_ended else YESTERDAY)


# --- the review by a pharmacist ---------------------------------------------------------------------------------------


def test_a_pharmacist_closes_the_work_and_a_technician_may_not(order, by, shop):
    late(order, by)
    item = WorklistItem.objects.get(patient=order.patient, kind=WorkKind.LATE_ENTRY)
    with pytest.raises(NotAllowed, match="review what was recorded late"):
        worklist.resolve_work(item_id=item.pk, resolution=Resolution.REVIEWED, by=by, now=NOW)
    pharmacist = make.staff(shop).actor()
    done = worklist.resolve_work(item_id=item.pk, resolution=Resolution.REVIEWED, note="Right.", by=pharmacist, now=NOW)
    assert done.state == WorkState.RESOLVED
    assert AuditEntry.objects.filter(action="worklist.closed", actor=pharmacist.name).count() == 1


# --- what cannot have happened ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (NOW + timedelta(seconds=1), "a time that has not come"),
        (NOW - timedelta(days=MOST_DAYS_AGO, seconds=1), "more than 14 days ago"),
        (NOW - timedelta(days=6), "before the order, which is of 2026-11-17"),
    ],
    ids=["not come", "too long ago", "before the order"],
)  # fmt: skip
def test_a_time_that_cannot_be_is_refused_and_nothing_is_written(shop, by, at, words):
    written_on = NOW.date() - timedelta(days=5 if "order" in words else 40)
    then = NOW - timedelta(days=4)
    order = make.prescription(make.patient(shop, now=then), now=then, written_on=str(written_on))
    entries = AuditEntry.objects.count()
    with pytest.raises(InvalidInput) as error:
        late(order, by, handed_over_at=at)
    assert problem(error) == ("handed_over_at", words)
    assert (Dispense.objects.count(), AuditEntry.objects.count()) == (0, entries)


@pytest.mark.parametrize(
    "at",
    [NOW, NOW - timedelta(days=MOST_DAYS_AGO), NOW - timedelta(days=5)],
    ids=["this moment", "14 days ago", "the day of the order"],
)
def test_the_first_and_the_last_time_that_can_be_are_recorded(shop, by, at):
    then = NOW - timedelta(days=4)
    written_on = (NOW - timedelta(days=40)).date() if at < NOW - timedelta(days=5) else (NOW - timedelta(days=5)).date()
    order = make.prescription(make.patient(shop, now=then), now=then, written_on=str(written_on))
    assert late(order, by, handed_over_at=at).handed_over_at == at


@pytest.mark.parametrize(
    ("died_on", "is_refused"), [(YESTERDAY.date() - timedelta(days=1), True), (YESTERDAY.date(), False)]
)
def test_nobody_dead_was_handed_tablets(order, by, shop, died_on, is_refused):
    patients.record_death(patient=order.patient, died_on=died_on, by=make.staff(shop).actor(), now=NOW)
    if is_refused:
        with pytest.raises(InvalidInput) as error:
            late(order, by)
        assert problem(error) == ("handed_over_at", f"after the patient died, on {died_on}")
    else:
        assert late(order, by).handed_over_at == YESTERDAY


@pytest.mark.parametrize(
    ("gtin", "words"),
    [("05012345678924", "The pack is Tizanidine 4 mg tablets, another medicine"), ("05099999999999", "Nobody here knows this pack")],
    ids=["another medicine", "unknown"],
)  # fmt: skip
def test_a_pack_of_another_medicine_is_refused(order, by, gtin, words):
    make.product("05012345678924", 4, name="Tizanidine 4 mg tablets", brand="", ingredient="tizanidine")
    with pytest.raises(InvalidInput) as error:
        late(order, by, pack=make.pack(gtin))
    assert problem(error) == ("pack.gtin", words)


def test_packs_that_do_not_add_up_are_refused(order, by):
    with pytest.raises(InvalidInput) as error:
        late(order, by, further=[CountedPack(make.pack(lot="B2"), Decimal(42))])
    assert error.value.problems[0].field == "packs"


def test_another_order_beside_it_is_refused(order, by, shop):
    other = make.prescription(order.patient, now=NOW - timedelta(days=3))
    with pytest.raises(InvalidInput) as error:
        late(order, by, also=[Item(other, Decimal(10), make.pack())])
    assert problem(error)[0] == "also"


@pytest.mark.parametrize("quantity", [Decimal(0), Decimal("-1"), Decimal("0.3"), Decimal("NaN")])
def test_a_number_that_is_none_of_tablets_is_refused(order, by, quantity):
    with pytest.raises(InvalidInput):
        late(order, by, quantity=quantity)


# --- once -------------------------------------------------------------------------------------------------------------


def test_a_repeated_key_gives_the_same_hand_over_and_another_one_conflicts(order, by):
    done = late(order, by)
    assert late(order, by).pk == done.pk
    for other in ({"quantity": Decimal(10)}, {"handed_over_at": YESTERDAY + timedelta(minutes=1)}):
        with pytest.raises(Conflict, match="another hand-over"):
            late(order, by, **other)
    assert Dispense.objects.count() == 1


def test_the_same_line_typed_twice_is_refused_and_the_next_minute_or_lot_is_not(order, by):
    late(order, by, quantity=Decimal(10))
    with pytest.raises(Conflict, match="recorded already"):
        late(order, by, quantity=Decimal(10), key="k2")
    late(order, by, quantity=Decimal(10), key="k3", pack=make.pack(lot="C3"))
    late(order, by, quantity=Decimal(10), key="k4", handed_over_at=YESTERDAY + timedelta(minutes=1))
    assert Dispense.objects.count() == 3


def test_an_auditor_and_staff_of_another_pharmacy_may_not(order, shop):
    for who in (make.staff(shop, StaffRole.AUDITOR), make.staff(make.pharmacy("Hill Pharmacy"))):
        with pytest.raises(NotAllowed):
            late(order, who.actor())


def test_a_supply_of_the_counter_after_it_has_papers_to_print_again_where_the_days_differ(shop, by):
    """A change of dose handed over in the downtime; since then the counter handed over the dose before."""
    then, pharmacist = NOW - timedelta(days=3), make.staff(shop).actor()
    patient = make.patient(shop, now=then)
    low = make.prescription(patient, now=then)
    make.hand_over(low, pharmacist, now=NOW - timedelta(hours=2))
    double = [{"dose": 10, "unit": "mg", "times_per_day": 3, "days": 28}]
    high = make.prescription(
        patient, now=then, phases=double, quantity=84, directions="10 mg three times a day for 28 days"
    )
    late(high, by, quantity=Decimal(84))
    kinds = set(WorklistItem.objects.filter(patient=patient).values_list("kind", flat=True))
    assert WorkKind.LATE_ENTRY in kinds
    low.refresh_from_db()
    assert low.status != PrescriptionStatus.REPLACED
