"""The hand-over: what lets it happen, what holds it back, what is left behind."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from dispensary import audit
from dispensary.actions import dispenses, overrides, patients, prescriptions, therapy
from dispensary.actions.handover_problems import CountedPack, Item
from dispensary.actions.overrides import Answer
from dispensary.actions.refusals import Refused
from dispensary.assessment import assess, therapy_of
from dispensary.audit import Event
from dispensary.errors import Conflict, InvalidInput, NotAllowed
from dispensary.models import (
    DecisionKind,
    Dispense,
    DispenseStatus,
    Override,
    OverrideState,
    PrescriptionStatus,
    Review,
    SignatureMethod,
    StaffRole,
)
from tests.dispensary import make
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db

ASKED = Answer(
    finding="daily-maximum",
    mitigation="5",
    words="Specialist clinic keeps her on this dose; agreed by telephone.",
    asked="Dr Grace Mwangi",
    asked_at=NOW - timedelta(minutes=10),
    agreed="105 mg a day until the clinic visit",
    signature=SignatureMethod.PASSWORD,
)


@pytest.fixture
def shop():
    make.products()
    return make.pharmacy()


@pytest.fixture
def pharmacist(shop):
    return make.staff(shop, StaffRole.PHARMACIST).actor()


def hand_over(prescription, by, **changes):
    asked = {
        "quantity": prescription.quantity,
        "pack": make.pack(),
        "acknowledged": [],
        "overrides": [],
        "key": f"key-{prescription.pk}",
        "now": NOW,
    }
    return dispenses.dispense(prescription=prescription, by=by, **(asked | changes))


def above_the_maximum(shop):
    """35 mg x 3 = 105 mg a day, after months on 100 mg a day: one finding for the daily maximum."""
    person = make.patient(shop)
    from dispensary.actions import patients
    from dispensary.actors import Actor

    patients.record_history(
        patient=person,
        supplies=[
            {
                "dispensed_on": "2026-10-25",
                "doses": [35, 35, 30],
                "strength_mg": 10,
                "days_supply": 28,
                "dose_since": "2026-08-01",
                "relation": "same-course",
            }
        ],
        by=Actor.system("setup", shop.pk),
        now=NOW,
    )
    return make.prescription(
        person,
        phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="35 mg three times a day for 28 days",
        quantity=294,
    )


def codes(of):
    pharmacy = getattr(of, "pharmacy_id", None) or of.prescription.pharmacy_id
    return [line.entry.action for line in audit.history(of, pharmacy=pharmacy)]


def test_a_clean_new_start_is_handed_over_with_everything_that_belongs_to_it(shop, technician):
    order = make.prescription(make.patient(shop))
    dispense = hand_over(order, technician)
    assert isinstance(dispense, Dispense)
    assert (dispense.quantity, dispense.days_supply) == (Decimal(42), 28)
    assert dispense.starts_on == date(2026, 11, 22)
    assert dispense.run_out_on == date(2026, 12, 20)
    assert dispense.review.outcome == "pass"
    assert dispense.lot == "A1B2"
    order.refresh_from_db()
    assert order.status == PrescriptionStatus.COMPLETED
    assert "dispense.completed" in codes(dispense)


def test_the_same_key_gives_the_first_dispense_again(shop, technician):
    order = make.prescription(make.patient(shop))
    assert hand_over(order, technician).pk == hand_over(order, technician).pk
    assert Dispense.objects.count() == 1


def test_a_key_used_for_another_hand_over_is_refused(shop, technician):
    first, second = make.prescription(make.patient(shop)), make.prescription(make.patient(shop))
    hand_over(first, technician, key="k")
    with pytest.raises(Conflict, match="another hand-over"):
        hand_over(second, technician, key="k")


def test_an_order_of_another_patient_is_no_other_strength_even_of_one_group(shop, technician):
    doctor = make.prescriber(shop)
    mine, theirs = (
        make.prescription(
            make.patient(shop), ordered_by=doctor, group="urn:group|7", strength_mg=strength, quantity=28, directions=None,
            phases=[{"doses": [strength, strength], "unit": "mg"}],
        )
        for strength in (25, 10)
    )  # fmt: skip
    also = [Item(theirs, Decimal(28), make.pack())]
    refused = hand_over(mine, technician, pack=make.pack(make.TWENTY_FIVE_MG), also=also)
    assert isinstance(refused, Refused)
    assert [problem.field for problem in refused.problems] == ["also"]
    assert not Dispense.objects.exists()


@pytest.mark.parametrize(
    ("is_cancelled", "field", "words"),
    [
        (False, "also", "10 mg are taken on the same days"),
        (True, "prescription", "10 mg are no longer to be handed over"),
    ],
)
def test_one_strength_of_an_order_alone_names_the_other(shop, pharmacist, is_cancelled, field, words):
    patient, doctor = make.patient(shop), make.prescriber(shop)
    stronger, weaker = (
        make.prescription(
            patient, ordered_by=doctor, group="urn:group|7", strength_mg=strength, quantity=28, directions=None,
            phases=[{"doses": [strength], "days": 28, "unit": "mg"}],
        )
        for strength in (25, 10)
    )  # fmt: skip
    if is_cancelled:
        prescriptions.cancel(prescription=weaker, reason="withdrawn", by=pharmacist, now=NOW)
    codes_shown = [question.code for question in assess(stronger, on=NOW.date()).questions()]
    refused = hand_over(stronger, pharmacist, pack=make.pack(make.TWENTY_FIVE_MG), acknowledged=codes_shown)
    assert isinstance(refused, Refused)
    assert [problem.field for problem in refused.problems] == [field]
    assert words in refused.problems[0].given


def test_a_second_hand_over_is_refused_and_says_what_happened(shop, technician):
    order = make.prescription(make.patient(shop))
    first = hand_over(order, technician)
    refused = hand_over(order, technician, key="another")
    assert isinstance(refused, Refused)
    assert "42 tablets were handed over at 2026-11-22 10:00 UTC" in refused.problems[0].given
    assert first.dispenser_name in refused.problems[0].given
    assert "dispense.refused" in codes(order)


def test_25_mg_picked_for_10_mg_is_stopped_whoever_answers(shop, pharmacist):
    order = make.prescription(make.patient(shop))
    refused = hand_over(order, pharmacist, pack=make.pack(make.TWENTY_FIVE_MG))
    assert isinstance(refused, Refused)
    assert "pick" in [question.code for question in refused.unanswered]
    answer = Answer("pick", "5", "It is what we have.", asked="Dr Mwangi", signature=SignatureMethod.PASSWORD)
    refused = hand_over(order, pharmacist, pack=make.pack(make.TWENTY_FIVE_MG), overrides=[answer], key="again")
    assert isinstance(refused, Refused)
    assert not Dispense.objects.exists()
    assert not Override.objects.exists()


def test_a_dose_above_the_maximum_needs_an_override(shop, pharmacist):
    order = above_the_maximum(shop)
    refused = hand_over(order, pharmacist)
    assert isinstance(refused, Refused)
    assert "daily-maximum" in [question.code for question in refused.unanswered]
    assert refused.review.outcome == "override"
    assert not Dispense.objects.exists()


def test_an_override_after_calling_the_prescriber_lets_it_pass_and_is_kept(shop, pharmacist):
    order = above_the_maximum(shop)
    findings = [q.code for q in hand_over(order, pharmacist).unanswered]
    dispense = hand_over(
        order, pharmacist, overrides=[ASKED], acknowledged=[c for c in findings if c != "daily-maximum"], key="second"
    )
    assert isinstance(dispense, Dispense), dispense
    override = Override.objects.get(code="daily-maximum")
    assert (override.state, override.dispense_id) == (OverrideState.USED, dispense.pk)
    assert "105 mg" in override.summary
    assert override.signer_name == pharmacist.display
    assert "override.signed" in codes(override)


def test_a_technician_cannot_override(shop, technician):
    order = above_the_maximum(shop)
    rest = [q.code for q in hand_over(order, technician).unanswered if q.code != "daily-maximum"]
    with pytest.raises(NotAllowed, match="a pharmacist may"):
        hand_over(order, technician, overrides=[ASKED], acknowledged=rest, key="second")
    assert not Override.objects.exists()


def test_an_override_of_a_dose_above_a_limit_names_whom_was_asked(shop, pharmacist):
    order = above_the_maximum(shop)
    with pytest.raises(InvalidInput) as caught:
        overrides.sign(
            prescription=order,
            answers=[Answer("daily-maximum", "5", "agreed", signature=SignatureMethod.PASSWORD)],
            by=pharmacist,
            now=NOW,
        )
    assert [problem.field for problem in caught.value.problems] == ["asked"]


def test_an_override_without_a_fresh_signature_is_refused(shop, pharmacist):
    with pytest.raises(InvalidInput) as caught:
        overrides.sign(
            prescription=above_the_maximum(shop),
            answers=[Answer("daily-maximum", "5", "agreed", asked="Dr Mwangi")],
            by=pharmacist,
            now=NOW,
        )
    assert [problem.field for problem in caught.value.problems] == ["proof"]


def test_two_open_overrides_for_one_finding_are_refused(shop, pharmacist):
    order = above_the_maximum(shop)
    overrides.sign(prescription=order, answers=[ASKED], by=pharmacist, now=NOW)
    with pytest.raises(Conflict, match="answered already"):
        overrides.sign(prescription=order, answers=[ASKED], by=pharmacist, now=NOW)


def test_an_override_for_a_finding_that_is_not_there_says_which_there_are(shop, pharmacist):
    order = above_the_maximum(shop)
    with pytest.raises(InvalidInput) as caught:
        overrides.sign(prescription=order, answers=[Answer("renal")], by=pharmacist, now=NOW)
    assert "daily-maximum" in caught.value.problems[0].expected


def test_an_answer_signed_before_counts_at_the_hand_over(shop, pharmacist):
    order = above_the_maximum(shop)
    (override,) = overrides.sign(prescription=order, answers=[ASKED], by=pharmacist, now=NOW)
    dispense = hand_over(order, pharmacist)
    assert isinstance(dispense, Dispense), dispense
    override.refresh_from_db()
    assert override.dispense_id == dispense.pk


def test_an_answer_that_was_withdrawn_no_longer_counts(shop, pharmacist):
    order = above_the_maximum(shop)
    (override,) = overrides.sign(prescription=order, answers=[ASKED], by=pharmacist, now=NOW)
    overrides.withdraw(override=override, reason="signed for the wrong patient", by=pharmacist, now=NOW)
    assert "daily-maximum" in [q.code for q in hand_over(order, pharmacist).unanswered]


def test_what_could_not_be_assessed_needs_one_acknowledgement(shop, technician):
    order = make.prescription(make.patient(shop, dialysis=None, egfr=None, weight_kg=None, medicines=None))
    refused = hand_over(order, technician)
    assert isinstance(refused, Refused)
    codes_open = [q.code for q in refused.unanswered]
    assert "not-assessed" in codes_open
    assert isinstance(hand_over(order, technician, acknowledged=codes_open, key="second"), Dispense)


@pytest.mark.parametrize("status", ["cancelled", "stopped"])
def test_an_order_that_has_ended_is_not_handed_over(shop, pharmacist, status):
    order = make.prescription(make.patient(shop))
    if status == "cancelled":
        prescriptions.cancel(prescription=order, reason="written in error", by=pharmacist, now=NOW)
    else:
        therapy.stop(subject=order, reason="", words="never taken", by=pharmacist, now=NOW)
    refused = hand_over(order, pharmacist)
    assert isinstance(refused, Refused)
    assert status in refused.problems[0].given


def test_more_than_is_left_is_refused_with_both_amounts(shop, technician):
    order = make.prescription(make.patient(shop))
    refused = hand_over(order, technician, quantity=Decimal("42.5"))
    assert isinstance(refused, Refused)
    assert refused.problems[0].given == "42.5 tablets asked for, 42 tablets left"


@pytest.mark.parametrize("quantity", ["0", "-1", "0.3", "NaN", "Infinity", "1000000000"])
def test_a_quantity_that_is_no_number_of_tablets_is_bad_input(shop, technician, quantity):
    with pytest.raises(InvalidInput):
        hand_over(make.prescription(make.patient(shop)), technician, quantity=Decimal(quantity))


def test_a_pack_that_has_expired_is_refused(shop, technician):
    refused = hand_over(make.prescription(make.patient(shop)), technician, pack=make.pack(expiry=date(2026, 11, 21)))
    assert isinstance(refused, Refused)
    assert "expired on 2026-11-21" in refused.problems[0].given


def test_a_pack_that_does_not_say_its_expiry_is_asked_about(shop, technician):
    order, pack = make.prescription(make.patient(shop)), make.pack(expiry=None)
    refused = hand_over(order, technician, pack=pack)
    assert [question.code for question in refused.unanswered] == ["not-assessed"]
    assert "pack-expiry needs picked.expires_on" in refused.unanswered[0].detail
    assert isinstance(
        hand_over(order, technician, pack=pack, acknowledged=[refused.unanswered[0].fingerprint]), Dispense
    )


def test_the_brand_of_the_pack_is_held_against_a_wheat_allergy(shop, technician):
    refused = hand_over(make.prescription(make.patient(shop, allergies=["wheat"])), technician)
    assert [question.code for question in refused.unanswered] == ["wheat-starch"]


@pytest.mark.parametrize(("expiry", "passes"), [(date(2026, 12, 19), False), (date(2026, 12, 20), True)])
def test_a_pack_must_last_as_long_as_the_supply(shop, technician, expiry, passes):
    result = hand_over(make.prescription(make.patient(shop)), technician, pack=make.pack(expiry=expiry))
    assert isinstance(result, Dispense) is passes


def test_a_pack_nobody_knows_is_refused(shop, technician):
    refused = hand_over(make.prescription(make.patient(shop)), technician, pack=make.pack("04000000000006"))
    assert isinstance(refused, Refused)
    assert "Nobody here knows this pack" in refused.problems[0].given


def test_another_pharmacys_prescription_is_not_touched(shop):
    stranger = make.staff(make.pharmacy("Elsewhere"), StaffRole.PHARMACIST).actor()
    with pytest.raises(NotAllowed):
        hand_over(make.prescription(make.patient(shop)), stranger)


def test_an_auditor_hands_nothing_over(shop):
    with pytest.raises(NotAllowed):
        hand_over(make.prescription(make.patient(shop)), make.staff(shop, StaffRole.AUDITOR).actor())


def test_a_cancelled_supply_can_be_handed_over_again(shop, pharmacist):
    order = make.prescription(make.patient(shop))
    dispenses.cancel(dispense=hand_over(order, pharmacist), reason="wrong bag, not given", by=pharmacist, now=NOW)
    again = hand_over(order, pharmacist, key="second")
    assert isinstance(again, Dispense)
    assert again.number == 2
    assert Dispense.objects.filter(status=DispenseStatus.COMPLETED).count() == 1


def test_a_returned_supply_cannot_be_cancelled_as_well(shop, pharmacist):
    dispense = hand_over(make.prescription(make.patient(shop)), pharmacist)
    dispenses.return_(dispense=dispense, reason="patient brought it back unopened", by=pharmacist, now=NOW)
    with pytest.raises(Conflict, match="returned already"):
        dispenses.cancel(dispense=dispense, reason="x y z", by=pharmacist, now=NOW)


def test_stopping_a_medicine_that_the_patient_takes_needs_an_answer(shop, pharmacist):
    order = above_the_maximum(shop)
    refused = therapy.stop(subject=order, reason="", words="patient asked", by=pharmacist, now=NOW)
    assert isinstance(refused, Refused)
    assert "abrupt-stop" in [q.code for q in refused.unanswered]
    answers = [
        Answer(
            q.code,
            "5",
            "admitted to hospital for a supervised stop",
            asked="Dr Mwangi",
            signature=SignatureMethod.PASSWORD,
        )
        if q.severity == "override"
        else Answer(q.code)
        for q in refused.unanswered
    ]
    stopped = therapy.stop(
        subject=order, reason="", words="patient asked", answers=tuple(answers), by=pharmacist, now=NOW
    )
    assert stopped.status == PrescriptionStatus.STOPPED


def test_a_review_keeps_the_bytes_that_the_rule_book_gave(shop, technician):
    dispense = hand_over(make.prescription(make.patient(shop)), technician)
    review = Review.objects.get(pk=dispense.review_id)
    assert review.result["format"] == "baclofen-review/1"
    assert review.profile_digest.startswith("sha256:")
    assert review.case["ask"]["picked"][0]["strength_mg"] == "10"


def test_a_refill_counts_what_is_left_from_the_supply_before(shop, technician):
    person = make.patient(shop)
    hand_over(make.prescription(person), technician)
    later = NOW + timedelta(days=25)
    refill = make.prescription(person, now=later, written_on="2026-12-15")
    dispense = hand_over(refill, technician, now=later)
    assert isinstance(dispense, Dispense), dispense
    assert dispense.starts_on == date(2026, 12, 20)
    assert dispense.run_out_on == date(2027, 1, 17)


def test_a_fixed_dose_takes_the_place_of_one_as_needed(shop, pharmacist):
    then = NOW - timedelta(days=3)
    person = make.patient(shop, now=then)
    as_needed = {"doses": [10, 10], "unit": "mg", "days": 28}
    before = make.prescription(person, now=then, phases=[as_needed], as_needed=True, directions=None, quantity=28)
    make.hand_over(before, pharmacist, now=then)
    other = make.prescriber(shop, identifier="C7654321", name="Dr Paula Weiss")
    fixed = make.prescription(person, ordered_by=other)
    replaces = dispenses.Decided(DecisionKind.REPLACES, str(before.pk), words="Asked her.", mitigation="5")
    made = make.hand_over(fixed, pharmacist, decisions=[replaces])
    assert made.relation == "changes"


def test_an_outdated_order_beside_which_nothing_runs_is_handed_over_by_an_override(shop, pharmacist):
    patient = make.patient(shop, now=NOW - timedelta(days=60))
    order = make.prescription(patient, now=NOW - timedelta(days=60), repeats=2, written_on="2026-09-20")
    make.hand_over(order, by=pharmacist, now=NOW - timedelta(days=60))
    elsewhere = {
        "dispensed_on": str((NOW - timedelta(days=38)).date()),
        "doses": [10, 10, 10],
        "strength_mg": 10,
        "days_supply": 28,
        "relation": "same-course",
    }
    patients.record_history(patient=patient, supplies=[elsewhere], by=pharmacist, now=NOW - timedelta(days=37))
    refused = hand_over(order, pharmacist)
    assert [question.code for question in refused.unanswered] == ["outdated-order"]
    done = hand_over(order, pharmacist, overrides=[replace(ASKED, finding="outdated-order")], key="second")
    assert isinstance(done, Dispense)
    assert therapy_of(patient, NOW.date()).day(NOW.date()).mg == 15


def test_a_repeat_that_a_planned_dose_forestalls_needs_a_word_about_that_dose(shop, pharmacist):
    then = NOW - timedelta(days=10)
    patient = make.patient(shop, now=then)
    old = make.prescription(patient, now=then, repeats=1)
    make.hand_over(old, by=pharmacist, now=then)
    another = make.prescriber(shop, identifier="C7654321", name="Dr Paula Weiss")
    starts_on = str((NOW + timedelta(days=5)).date())
    phases = [{"doses": [10, 10, 5], "unit": "mg", "days": 28}]
    planned = make.prescription(
        patient, now=NOW, ordered_by=another, starts_on=starts_on, phases=phases, directions=None, quantity=70
    )
    reason = {"words": "Asked Dr Weiss.", "mitigation": "5"}
    replaces = dispenses.Decided(DecisionKind.REPLACES, str(old.pk), **reason)
    make.hand_over(planned, by=pharmacist, now=NOW, decisions=[replaces])
    later = {"quantity": Decimal(42), "now": NOW + timedelta(minutes=1)}
    refused = hand_over(old, pharmacist, overrides=[replace(ASKED, finding="outdated-order")], **later)
    assert [problem.given for problem in refused.problems] == [
        "Another dose takes the place of this one before any of these tablets would be taken"
    ]
    back = dispenses.Decided(DecisionKind.REPLACES, str(planned.pk), **reason)
    early = replace(ASKED, finding="early-refill")
    done = hand_over(old, pharmacist, decisions=[back], overrides=[early], key="second", **later)
    assert not isinstance(done, Refused), [question.code for question in done.unanswered]
    assert (done.relation, done.days_supply) == ("continues", 28)
    counted = therapy_of(patient, NOW.date())
    assert {counted.day(NOW.date() + timedelta(days=number)).mg for number in range(20)} == {15}


def test_tablets_come_from_several_packs_each_with_its_lot(shop, pharmacist):
    order = make.prescription(make.patient(shop))
    further = (counted(14, lot="B2", serial="2"), counted(8, lot="C3", expiry=None))
    done = hand_over(order, pharmacist, pack=make.pack(lot="A1"), further=further)
    stored = Dispense.objects.get(pk=done.pk)
    assert [(pack["lot"], pack["quantity"]) for pack in stored.packs] == [("A1", 20), ("B2", 14), ("C3", 8)]
    assert stored.quantity == 42
    body = next(line.body for line in audit.history(done, pharmacy=shop.pk) if line.entry.action == Event.DISPENSED)
    assert [pack["lot"] for pack in body["further_packs"]] == ["B2", "C3"]


@pytest.mark.parametrize(
    ("further", "words"),
    [
        ([{"quantity": 42}], "42 tablets of further packs, 42 tablets in all"),
        ([{"quantity": 20, "gtin": make.TWENTY_FIVE_MG}], "packs of 10 mg and 25 mg"),
        ([{"quantity": 20, "gtin": "00000000000000"}], "Nobody here knows this pack"),
        ([{"quantity": 20, "expiry": date(2026, 11, 1)}], "The pack expired on 2026-11-01"),
        (
            [{"quantity": 20, "expiry": NOW.date() + timedelta(days=2)}],
            "The pack expires on 2026-11-24, before the supply ends on 2026-12-19",
        ),
    ],
)
def test_a_further_pack_is_checked_as_the_first(shop, pharmacist, further, words):
    order = make.prescription(make.patient(shop))
    refused = hand_over(order, pharmacist, further=tuple(counted(**pack) for pack in further))
    assert [problem.given for problem in refused.problems] == [words]
    assert not Dispense.objects.exists()


def counted(quantity, **changes):
    return CountedPack(make.pack(**changes), Decimal(quantity))
