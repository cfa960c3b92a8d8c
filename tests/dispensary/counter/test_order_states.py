"""The life of an order at the counter: held, resumed, corrected, cancelled by mistake, worked on by one person at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary import audit
from dispensary.actions import order_states, prescriptions, sender_status, summaries
from dispensary.actors import Actor
from dispensary.errors import Conflict, InvalidInput, NotAllowed
from dispensary.handover import order_number
from dispensary.models import (
    OrderSummary,
    Patient,
    Prescription,
    PrescriptionStatus,
    SenderStatus,
    StaffMember,
    StaffRole,
)
from tests.dispensary import make
from tests.dispensary.counter.test_check import check, counter, handed, order, pharmacist
from tests.dispensary.counter.test_new_order import PAPER, patient, typed

__all__ = ["counter", "patient", "pharmacist"]
pytestmark = pytest.mark.django_db
QUEUE = reverse("counter:queue")


def send(counter: Client, name: str, prescription: Prescription, **fields: str) -> Any:
    return counter.post(reverse(f"counter:{name}", args=[prescription.pk]), fields)


def resume(counter: Client, prescription: Prescription, **fields: str) -> Any:
    """Press the button of the page that asks before a hold ends, as that page is now."""
    page = counter.get(reverse("counter:resume", args=[prescription.pk]))
    return send(counter, "resume", prescription, version=str(page.context["prescription"].version), **fields)


def tabs(counter: Client, name: str = "") -> dict[str, int]:
    page = counter.get(QUEUE, {"tab": name} if name else {})
    return {tab.words: tab.count for tab in page.context["tabs"]}


def second_person(pharmacist: StaffMember) -> tuple[StaffMember, Client]:
    other = make.staff(pharmacist.pharmacy, StaffRole.TECHNICIAN)
    client = Client()
    client.force_login(other.user)
    return other, client


def test_an_order_waits_for_stock_and_goes_on_again(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    form = reverse("counter:hold", args=[prescription.pk])
    assert form in counter.get(check(prescription)).content.decode()
    assert "Choose what the prescription waits for" in counter.post(form, {}).content.decode()
    assert send(counter, "hold", prescription, awaiting="stock", reason="comes on Tuesday").status_code == 302
    assert handed(counter, prescription).status_code in (409, 422), "nothing is handed over meanwhile"
    assert not prescription.dispenses.exists()
    page = counter.get(QUEUE, {"tab": "stock"}).content.decode()
    assert "Awaiting stock. comes on Tuesday" in page
    assert tabs(counter) == {"All": 1, "Awaiting stock": 1}
    assert "awaiting stock: comes on Tuesday" in counter.get(check(prescription)).content.decode()
    assert resume(counter, prescription, reason="it came").status_code == 302
    assert tabs(counter) == {"All": 1, "Can be handed over": 1}
    assert handed(counter, prescription).status_code == 302
    events = [line.entry.action for line in audit.history(prescription, pharmacy=pharmacist.pharmacy)]
    assert {"prescription.paused", "prescription.resumed"} <= set(events)


def test_a_hold_ends_with_its_reason_in_view_and_how_it_was_settled(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    send(counter, "hold", prescription, awaiting="prescriber", reason="Dose to be confirmed")
    asked = counter.get(reverse("counter:resume", args=[prescription.pk])).content.decode()
    assert "awaiting the prescriber" in asked and "Dose to be confirmed" in asked
    assert "Say how it was settled" in resume(counter, prescription).content.decode()
    prescription.refresh_from_db()
    assert prescription.status == PrescriptionStatus.ON_HOLD
    assert resume(counter, prescription, reason="Dr Mwangi: 10 mg is right").status_code == 302
    page = counter.get(check(prescription)).content.decode()
    assert "Was on hold, awaiting the prescriber: &#8220;Dose to be confirmed&#8221;" in page
    assert f"Resumed by {pharmacist.display_name}" in page and "Dr Mwangi: 10 mg is right" in page


def test_an_old_page_does_not_end_a_later_hold(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    send(counter, "hold", prescription, awaiting="stock")
    old = counter.get(reverse("counter:resume", args=[prescription.pk])).context["prescription"].version
    resume(counter, prescription, reason="it came")
    send(counter, "hold", prescription, awaiting="prescriber", reason="Dose to be confirmed")
    answer = send(counter, "resume", prescription, version=str(old), reason="it came")
    assert answer.status_code == 422
    assert "Dose to be confirmed" in answer.content.decode()
    prescription.refresh_from_db()
    assert prescription.awaiting == "prescriber"


@pytest.mark.parametrize("note", ["Dose to be confirmed", "Dose to be confirmed."])
def test_a_scan_on_an_order_that_is_on_hold_says_so(counter: Client, pharmacist: StaffMember, note: str) -> None:
    prescription = order(pharmacist)
    send(counter, "hold", prescription, awaiting="prescriber", reason=note)
    assert 'name="scan"' in counter.get(check(prescription)).content.decode()
    answer = counter.post(check(prescription), {"scan": make.TEN_MG, "scan-it": "1"})
    assert answer.status_code == 409
    assert "on hold, awaiting the prescriber: Dose to be confirmed. The pack was not taken" in answer.content.decode()
    assert not answer.context["lines"][0].is_scanned


def test_what_an_order_waits_for_has_a_name(pharmacist: StaffMember) -> None:
    with pytest.raises(InvalidInput):
        order_states.hold(prescription=order(pharmacist), awaiting="godot", by=pharmacist.actor(), now=timezone.now())


def test_a_held_order_stays_held_when_its_sender_sends_it_again(pharmacist: StaffMember) -> None:
    prescription, by, now = order(pharmacist), pharmacist.actor(), timezone.now()
    order_states.hold(prescription=prescription, awaiting="prescriber", by=by, now=now)
    assert sender_status.release(prescription=prescription, by=by, now=now).status == PrescriptionStatus.ON_HOLD
    order_states.resume(prescription=prescription, by=by, now=now)
    sender_status.withdraw(prescription=prescription, status=SenderStatus.ON_HOLD, by=by, now=now)
    with pytest.raises(Conflict):
        order_states.resume(prescription=prescription, by=by, now=now)
    assert sender_status.release(prescription=prescription, by=by, now=now).status == PrescriptionStatus.ACTIVE


def test_a_held_order_can_be_cancelled(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    send(counter, "hold", prescription, awaiting="patient")
    assert send(counter, "cancel-prescription", prescription, reason="does not come back").status_code == 302
    prescription.refresh_from_db()
    assert (prescription.status, prescription.awaiting) == (PrescriptionStatus.CANCELLED, "")


def test_a_cancel_of_today_is_undone_with_a_reason(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    send(counter, "cancel-prescription", prescription, reason="the wrong patient")
    address = reverse("counter:reinstate", args=[prescription.pk])
    assert address in counter.get(check(prescription)).content.decode()
    assert "the wrong patient" in counter.get(address).content.decode()
    assert counter.post(address, {"reason": "it was the right one"}).status_code == 302
    assert handed(counter, prescription).status_code == 302
    line = next(
        line
        for line in audit.history(prescription, pharmacy=pharmacist.pharmacy)
        if line.entry.action == "prescription.reinstated"
    )
    assert line.body is not None
    assert line.body["cancelled_because"] == "the wrong patient"


def test_a_cancel_of_yesterday_or_of_the_sender_stays(pharmacist: StaffMember) -> None:
    by, now = pharmacist.actor(), timezone.now()
    old, withdrawn = order(pharmacist), order(pharmacist)
    prescriptions.cancel(prescription=old, reason="done with", by=by, now=now)
    sender_status.withdraw(prescription=withdrawn, status=SenderStatus.CANCELLED, by=by, now=now)
    for prescription, moment in ((old, now + timedelta(days=1)), (withdrawn, now)):
        with pytest.raises(Conflict):
            order_states.reinstate(prescription=prescription, reason="again", by=by, now=moment)


def test_a_technician_cannot_undo_a_cancel(pharmacist: StaffMember) -> None:
    prescription, now = order(pharmacist), timezone.now()
    prescriptions.cancel(prescription=prescription, reason="done with", by=pharmacist.actor(), now=now)
    technician: Actor = make.staff(pharmacist.pharmacy, StaffRole.TECHNICIAN).actor()
    with pytest.raises(NotAllowed):
        order_states.reinstate(prescription=prescription, reason="again", by=technician, now=now)


def test_a_typing_error_is_corrected_and_before_and_after_stand_in_the_log(counter: Client, patient: Patient) -> None:
    typed(counter, patient, quantity="24")
    wrong = Prescription.objects.get()
    address = reverse("counter:correct-order", args=[wrong.pk])
    form = counter.get(address).content.decode()
    assert 'value="24"' in form and "5 mg three times a day for 28 days" in form, "what was typed stands in the form"
    paper = PAPER | {"written_on": wrong.document["written_on"], "key": "corrected"}
    assert "Say what was wrong" in counter.post(address, paper).content.decode()
    done = counter.post(address, paper | {"reason": "digits swapped"})
    right = Prescription.objects.get(status=PrescriptionStatus.ACTIVE)
    assert done["Location"] == check(right)
    assert right.quantity == 42
    wrong.refresh_from_db()
    assert (wrong.status, wrong.ended_reason) == (PrescriptionStatus.REPLACED, "corrected: digits swapped")
    line = next(
        line
        for line in audit.history(right, pharmacy=patient.pharmacy)
        if line.entry.action == "prescription.corrected"
    )
    assert line.body is not None
    assert line.body["changed"]["quantity"] == {"from": "24", "to": "42"}
    assert counter.get(address).status_code == 409, "it cannot be corrected twice"


def test_a_correction_still_replaces_what_the_first_order_replaced(counter: Client, patient: Patient) -> None:
    before = make.prescription(patient, now=timezone.now())
    typed(counter, patient, quantity="24", replaces=str(before.pk))
    wrong = Prescription.objects.get(source="counter")
    paper = PAPER | {"written_on": wrong.document["written_on"], "key": "corrected", "reason": "digits swapped"}
    counter.post(reverse("counter:correct-order", args=[wrong.pk]), paper)
    right = Prescription.objects.get(source="counter", status=PrescriptionStatus.ACTIVE)
    assert right.replaces == before
    before.refresh_from_db()
    assert before.status == PrescriptionStatus.REPLACED


def test_what_a_sent_order_alone_named_is_noted_on_the_one_in_its_place(counter: Client, patient: Patient) -> None:
    sent = make.prescription(
        patient,
        now=timezone.now(),
        as_needed=True,
        max_mg_per_day=15,
        directions="5 mg up to three times a day when needed",
    )
    paper = PAPER | {
        "written_on": timezone.now().date().isoformat(),
        "key": "in-its-place",
        "reason": "every day was meant",
    }
    counter.post(reverse("counter:correct-order", args=[sent.pk]), paper)
    page = counter.get(check(Prescription.objects.get(source="counter"))).content.decode()
    assert f"No. {order_number(sent)} was to be taken when needed." in page
    assert f"No. {order_number(sent)} named at most 15\u00a0mg a day." in page


def test_a_sent_order_keeps_its_words_and_a_corrected_one_takes_its_place(
    counter: Client, pharmacist: StaffMember, patient: Patient
) -> None:
    sent = make.prescription(patient, now=timezone.now(), interval_days=14)
    address = reverse("counter:correct-order", args=[sent.pk])
    page = counter.get(check(sent)).content.decode()
    assert "It came from another system, so it stays as it is: ask" in page and address in page
    form = counter.get(address).content.decode()
    assert sent.directions in form and f'value="{sent.quantity:.0f}"' in form, "the form holds what the order says"
    assert 'name="replaces"' not in form and "at least 14 days apart" in form
    paper = PAPER | {"written_on": timezone.now().date().isoformat(), "key": "in-its-place"}
    assert "Say what was wrong" in counter.post(address, paper).content.decode()
    done = counter.post(address, paper | {"reason": "5 mg was meant, with Dr Mwangi", "replaces": str(sent.pk)})
    new = Prescription.objects.get(source="counter")
    assert (done["Location"], new.replaces, new.interval_days) == (check(new), sent, 14)
    assert f"In place of No. {order_number(sent)}: 5 mg was meant, with Dr Mwangi" in (
        counter.get(check(new)).content.decode()
    )
    sent.refresh_from_db()
    assert sent.status == PrescriptionStatus.REPLACED
    line = audit.history(sent, pharmacy=patient.pharmacy)[0]
    assert (line.entry.action, line.body and line.body["replaced_by"]) == ("prescription.replaced", str(new.pk))
    assert counter.get(address).status_code == 409, "it has ended"


def test_one_takes_the_place_of_an_order_of_which_something_was_handed_over(
    counter: Client, pharmacist: StaffMember, patient: Patient
) -> None:
    typed(counter, patient, repeats="1")
    supplied = Prescription.objects.get()
    make.hand_over(supplied, pharmacist.actor(), now=timezone.now())
    assert "Something of it was handed over, so it stays as it is" in counter.get(check(supplied)).content.decode()
    paper = PAPER | {"written_on": timezone.now().date().isoformat(), "key": "in-its-place", "reason": "Dr Mwangi"}
    counter.post(reverse("counter:correct-order", args=[supplied.pk]), paper)
    assert Prescription.objects.get(status=PrescriptionStatus.ACTIVE).replaces == supplied


def test_one_form_takes_no_place_of_an_order_of_two_strengths(
    counter: Client, pharmacist: StaffMember, patient: Patient
) -> None:
    rows = [make.prescription(patient, now=timezone.now(), group="G-1", strength_mg=mg) for mg in (10, 25)]
    for prescription in rows:
        assert counter.get(reverse("counter:correct-order", args=[prescription.pk])).status_code == 409
    assert "taken in anew for each strength" in counter.get(check(rows[0])).content.decode()


def test_two_people_see_who_has_an_order_and_one_key_takes_it_over(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    counter.get(check(prescription))
    other, second = second_person(pharmacist)
    notice = f"{pharmacist.display_name} has this open"
    assert notice in second.get(check(prescription)).content.decode()
    assert f"{pharmacist.display_name} has it" in second.get(QUEUE).content.decode()
    assert f"{pharmacist.display_name} has it" not in counter.get(QUEUE).content.decode(), "one's own is no news"
    assert send(second, "take-over", prescription).status_code == 302
    assert notice not in second.get(check(prescription)).content.decode()
    assert f"{other.display_name} has this open" in counter.get(check(prescription)).content.decode()
    line = audit.history(prescription, pharmacy=pharmacist.pharmacy)[0]
    assert (line.entry.action, line.body and line.body["from"]) == ("prescription.taken_over", pharmacist.display_name)


def test_a_claim_lapses(pharmacist: StaffMember) -> None:
    prescription, now = order(pharmacist), timezone.now()
    order_states.claim(prescription=prescription, by=pharmacist.actor(), now=now - order_states.CLAIM_LASTS)
    other = make.staff(pharmacist.pharmacy, StaffRole.TECHNICIAN).actor()
    assert order_states.claim(prescription=prescription, by=other, now=now).actor == other.name


def test_the_queue_says_which_phase_is_taken(counter: Client, pharmacist: StaffMember) -> None:
    now = timezone.now()
    phases = [
        {"dose": 5, "unit": "mg", "times_per_day": 3, "days": 7},
        {"dose": 10, "unit": "mg", "times_per_day": 3, "days": 21},
    ]
    started = now - timedelta(days=10)
    prescription = make.prescription(
        make.patient(pharmacist.pharmacy, now=started),
        now=started,
        phases=phases,
        directions=None,
        quantity=74,
        repeats=2,
    )
    make.hand_over(prescription, pharmacist.actor(), now=started, quantity=None)
    assert OrderSummary.objects.get(prescription=prescription).phase == 1
    summaries.refresh_outdated(now=now)
    assert "phase 2 of 2" in counter.get(QUEUE).content.decode()


def test_another_pharmacys_order_is_left_alone(counter: Client) -> None:
    foreign = order(make.staff(make.pharmacy("Elsewhere")))
    for name in ("hold", "resume", "take-over", "reinstate", "correct-order"):
        assert send(counter, name, foreign, awaiting="stock", reason="mine").status_code == 404, name
    assert counter.get(reverse("counter:resume", args=[foreign.pk])).status_code == 404
    foreign.refresh_from_db()
    assert foreign.status == PrescriptionStatus.ACTIVE


def test_the_main_button_of_each_form_about_an_order_has_the_main_key(counter: Client, pharmacist: StaffMember) -> None:
    waiting = order(pharmacist)
    done = make.hand_over(order(pharmacist), pharmacist.actor(), now=timezone.now())
    on_hold = order(pharmacist)
    send(counter, "hold", on_hold, awaiting="stock")
    forms = dict.fromkeys(("hold", "cancel-prescription"), waiting.pk) | {"resume": on_hold.pk}
    forms |= {"facts": waiting.patient_id, "take-back": done.pk}
    pages = {name: counter.get(reverse(f"counter:{name}", args=[pk])) for name, pk in forms.items()}
    assert {name: page.content.decode().count('data-key="F9"') for name, page in pages.items()} == dict.fromkeys(
        pages, 1
    )
