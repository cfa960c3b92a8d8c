"""Orders: taken in as they are, or refused with the place of what is wrong."""

from decimal import Decimal
from typing import Any

import pytest

from dispensary.actions import dispenses, prescriptions, sender_status
from dispensary.errors import Conflict, InvalidInput, NotAllowed, Stale
from dispensary.models import Prescription, ReviewReason, SenderStatus, StaffRole, TherapySummary
from tests.dispensary import make
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db


def test_an_order_is_reviewed_as_it_comes_in(shop):
    order = make.prescription(make.patient(shop))
    (review,) = order.reviews.all()
    assert (review.reason, review.outcome) == (ReviewReason.RECEIVED, "pass")


def test_an_order_that_the_rules_stop_is_taken_in_all_the_same(shop):
    order = make.prescription(
        make.patient(shop),
        phases=[{"dose": 50, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="50 mg three times a day for 28 days",
        quantity=420,
    )
    review = order.reviews.get()
    assert review.outcome == "stop"
    assert "tenfold" in {finding.code for finding in review.findings.all()}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"strength_mg": "ten"}, "prescription.strength_mg"),
        ({"strength_mg": float("nan")}, "prescription.strength_mg"),
        ({"quantity": 10**9}, "prescription.quantity"),
        ({"quantity": 20_000}, "prescription.quantity"),
        ({"quantity": 0}, "prescription.quantity"),
        ({"quantity": -5}, "prescription.quantity"),
        ({"quantity": None}, "prescription.quantity"),
        ({"phases": [{"dose": -5, "unit": "mg", "times_per_day": 3, "days": 28}]}, "prescription.phases[0].dose"),
        ({"phases": [{"dose": 5, "unit": "mg", "times_per_day": 3, "days": 0}]}, "prescription.phases[0].days"),
        ({"phases": [{"dose": 5, "unit": "spoons", "times_per_day": 3, "days": 3}]}, "prescription.phases[0].unit"),
        ({"phases": []}, "prescription.phases"),
        ({"written_on": "1800-01-01"}, "prescription.written_on"),
        ({"written_on": "2999-01-01"}, "prescription.written_on"),
        ({"directions": "x" * 2_000_000}, "prescription.directions"),
        ({"colour": "blue"}, "prescription.colour"),
        ({"starts_on": "29 December"}, "prescription.starts_on"),
        ({"as_needed": "yes"}, "prescription.as_needed"),
        ({"interval_days": 0}, "prescription.interval_days"),
        ({"max_mg_per_day": -1}, "prescription.max_mg_per_day"),
        ({"medicine": {"colour": "blue"}}, "prescription.medicine.colour"),
        ({"phases": [{"doses": [5, 5], "unit": "mg", "times": ["morning"]}]}, "prescription.phases[0].times"),
        ({"phases": [{"doses": [5], "unit": "mg", "times": ["noonish"]}]}, "prescription.phases[0].times[0]"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_cannot_be_read_is_refused_with_its_place_and_nothing_is_kept(shop, changes, path):
    person = make.patient(shop)
    with pytest.raises(InvalidInput) as caught:
        make.prescription(person, **changes)
    assert caught.value.problems[0].field == path
    assert len(caught.value.problems[0].given) <= 120
    assert not Prescription.objects.exists()


def test_an_order_in_micrograms_keeps_its_unit_and_is_stopped(shop):
    order = make.prescription(
        make.patient(shop), phases=[{"dose": 5, "unit": "mcg", "times_per_day": 3, "days": 28}], directions=None
    )
    assert order.phases.get().unit == "microgram"
    assert order.phases.get().doses == [Decimal(5)] * 3
    assert order.reviews.get().outcome == "stop"


def test_a_cancelled_order_cannot_be_cancelled_again(shop):
    pharmacist = make.staff(shop).actor()
    order = make.prescription(make.patient(shop))
    prescriptions.cancel(prescription=order, reason="written in error", version=1, by=pharmacist, now=NOW)
    with pytest.raises(Conflict, match="cancelled since"):
        prescriptions.cancel(prescription=order, reason="again", by=pharmacist, now=NOW)


def test_the_tablets_of_a_cancelled_order_still_end_on_their_day(shop):
    make.products()
    pharmacist = make.staff(shop).actor()
    order = make.prescription(make.patient(shop), repeats=1)
    run_out_on = make.hand_over(order, pharmacist).run_out_on
    prescriptions.cancel(prescription=order, reason="the patient moves away", by=pharmacist, now=NOW)
    assert TherapySummary.objects.get().first_uncovered_on == run_out_on


def test_an_older_version_cancels_nothing(shop):
    order = make.prescription(make.patient(shop))
    with pytest.raises(Stale):
        prescriptions.cancel(prescription=order, reason="x", version=7, by=make.staff(shop).actor(), now=NOW)


def test_a_technician_cancels_nothing(shop):
    order = make.prescription(make.patient(shop))
    with pytest.raises(NotAllowed):
        prescriptions.cancel(prescription=order, reason="x", by=make.staff(shop, StaffRole.TECHNICIAN).actor(), now=NOW)


def test_an_order_replaces_only_the_same_patients(shop):
    first, second = make.patient(shop), make.patient(shop)
    old = make.prescription(first)
    with pytest.raises(InvalidInput, match="another patient"):
        prescriptions.receive(
            pharmacy=shop,
            patient=second,
            prescriber=make.prescriber(shop),
            order=make.CLEAN_ORDER,
            source="case",
            document={},
            replaces=old,
            by=make.staff(shop).actor(),
            now=NOW,
        )
    old.refresh_from_db()
    assert old.status == "active"


def test_an_order_keeps_what_the_therapy_needs(shop):
    order = make.prescription(
        make.patient(shop),
        starts_on="2026-12-29",
        interval_days=7,
        group="urn:g|1",
        medicine={"name": "Baclofen 10 mg tablets", "atc": "M03BX01"},
        max_mg_per_day=15,
        phases=[{"doses": [5, 5, 5], "unit": "mg", "days": 28, "times": ["morning", "midday", "21:00"]}],
    )
    order.refresh_from_db()
    assert (str(order.starts_on), order.interval_days, order.group) == ("2026-12-29", 7, "urn:g|1")
    assert (order.as_needed, order.max_mg_per_day) == (False, 15)
    assert order.medicine == {"name": "Baclofen 10 mg tablets", "atc": "M03BX01"}
    assert order.phases.get().times == ["morning", "midday", "21:00"]


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ((28, 28), []),
        ((28, None), ["for 28 days, this one without an end"]),
        ((28, 14), ["for 28 days, this one for 14 days"]),
    ],
)
def test_strengths_of_unequal_length_are_noted_as_two_orders(
    shop, days: tuple[int | None, ...], words: list[str]
) -> None:
    patient, doctor = make.patient(shop), make.prescriber(shop)
    rows = [
        make.prescription(
            patient, ordered_by=doctor, group="urn:g|1", strength_mg=strength, directions=None,
            phases=[{"doses": [strength], "unit": "mg", "days": length}],
        )
        for strength, length in zip((10, 25), days, strict=True)
    ]  # fmt: skip
    assert rows[0].notes == []
    assert [note.partition(" of the same group is ")[2].partition(":")[0] for note in rows[1].notes] == words


NIGHT: dict[str, Any] = {"directions": "10 mg in the morning and at midday, 20 mg at bedtime", "quantity": 112}


@pytest.mark.parametrize(
    ("phases", "doses", "times"),
    [
        (None, [10, 10, 20], ["morning", "midday", "bedtime"]),
        ([{"doses": [20, 10, 10], "unit": "mg"}], [10, 10, 20], ["morning", "midday", "bedtime"]),
        (
            [{"doses": [10, 10, 20], "unit": "mg", "times": ["08:00", "13:00", "21:00"]}],
            [10, 10, 20],
            ["08:00", "13:00", "21:00"],
        ),
        ([{"doses": [10, 10, 10], "unit": "mg"}], [10, 10, 10], None),
    ],
    ids=["words alone", "doses without times", "doses with times", "other doses"],
)
def test_the_times_of_day_that_the_words_name_are_those_of_the_doses(
    shop, phases: list[dict[str, Any]] | None, doses: list[int], times: list[str] | None
) -> None:
    order = make.prescription(make.patient(shop), phases=phases, **NIGHT)
    phase = order.phases.get()
    assert (phase.doses, phase.times) == (doses, times)


def test_words_that_say_when_needed_make_an_order_to_be_taken_when_needed(shop):
    order = make.prescription(
        make.patient(shop), phases=None, directions="10 mg up to three times a day when needed", quantity=42
    )
    assert (order.as_needed, order.phases.get().doses) == (True, [10, 10, 10])


def test_an_order_keeps_its_lines_and_the_days_it_is_to_last(shop):
    lines = [{"sequence": 1, "directions": "10 mg three times a day", "doses": [5, 5, 5], "unit": "mg"}]
    order = make.prescription(make.patient(shop), lines=lines, expected_days=28)
    assert (order.expected_days, order.lines[0]["directions"]) == (28, "10 mg three times a day")
    finding = order.reviews.get().findings.get(code="directions")
    assert (finding.severity, "Line 1" in finding.detail) == ("stop", True)


def test_an_order_of_another_medicine_or_form_is_taken_in_and_stopped(shop):
    for changes, code in (
        ({"medicine": "Tizanidine 4 mg"}, "medicine"),
        ({"form": "oral solution", "quantity": None}, "form"),
    ):
        order = make.prescription(make.patient(shop), **changes)
        assert order.reviews.get().findings.get(code=code).severity == "stop"


def test_an_order_that_its_sender_completed_is_not_opened_again_by_a_cancelled_supply(shop):
    make.products()
    order, pharmacist = make.prescription(make.patient(shop), repeats=1), make.staff(shop).actor()
    dispense = make.hand_over(order, pharmacist)
    sender_status.withdraw(prescription=order, status=SenderStatus.COMPLETED, by=pharmacist, now=NOW)
    dispenses.cancel(dispense=dispense, reason="wrong patient", by=pharmacist, now=NOW)
    order.refresh_from_db()
    assert order.status == "completed"
