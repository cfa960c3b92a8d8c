"""A proposed taper can be used: wished for, printed for the prescriber, taken as the new order when it is agreed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary import audit
from dispensary.models import Prescription, PrescriptionStatus, StaffMember, StaffRole
from tests.dispensary import make
from tests.dispensary.counter.test_check import check, counter, pharmacist

__all__ = ["counter", "pharmacist"]
pytestmark = pytest.mark.django_db
WISHES = {"goal": "nothing", "strengths_mg": ["10"]}


@pytest.fixture
def running(pharmacist: StaffMember) -> Prescription:
    """An order of 60 mg a day that is taken, with one repeat left."""
    now = timezone.now() - timedelta(days=10)
    prescription = make.prescription(
        make.patient(pharmacist.pharmacy, now=now),
        now=now,
        phases=[{"dose": 20, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="20 mg three times a day for 28 days",
        quantity=168,
        repeats=1,
    )
    make.hand_over(prescription, pharmacist.actor(), now=now)
    return prescription


def show(counter: Client, prescription: Prescription, **wishes: Any) -> Any:
    return counter.get(reverse("counter:plan", args=[prescription.pk]), WISHES | wishes)


def take(counter: Client, prescription: Prescription, sentence: str, **fields: str) -> Any:
    address = f"{reverse('counter:plan', args=[prescription.pk])}?goal=nothing&strengths_mg=10"
    return counter.post(address, {"agreed_with": "Dr Mwangi", "agreed": "by telephone", "sentence": sentence} | fields)


def test_a_taper_is_planned_for_days_steps_and_tablets_in_stock(counter: Client, running: Prescription) -> None:
    form = counter.get(reverse("counter:plan", args=[running.pk])).content.decode()
    assert "Tablets in stock" in form and "The plan" in form
    proposal = show(counter, running, days="21", step_mg="10").context["proposal"]
    phases = proposal.plan.regimen.phases
    assert proposal.doses_now == (Decimal(20),) * 3
    assert proposal.plan.regimen.total_days == 21
    levels = [Decimal(60), *(phase.mg_per_day for phase in phases)]
    assert all(before - after <= 10 for before, after in pairwise(levels))
    assert proposal.strength_mg == 10 and proposal.quantity > 0
    whole = show(counter, running, whole_tablets="on").context["proposal"].plan
    assert whole.cost.halves == 0


def test_wishes_that_no_rule_allows_are_refused_in_a_sentence(counter: Client, running: Prescription) -> None:
    page = show(counter, running, days="1")
    assert page.status_code == 422
    assert "No course keeps the rules with these wishes" in page.content.decode()
    nothing = counter.get(reverse("counter:plan", args=[running.pk]), {"goal": "nothing"})
    assert "Choose at least one strength that is in stock" in nothing.content.decode()


def test_the_request_is_one_page_and_a_line_in_the_log(
    counter: Client, running: Prescription, pharmacist: StaffMember
) -> None:
    answer = counter.get(reverse("counter:plan-pdf", args=[running.pk]), WISHES)
    assert answer.content.startswith(b"%PDF")
    assert answer.content.count(b"/Type /Page\n") + answer.content.count(b"/Type/Page\n") <= 1
    line = audit.history(running, pharmacy=pharmacist.pharmacy)[0]
    assert line.entry.action == "plan.requested"
    assert line.body is not None and line.body["plan"]["kind"] == "taper"


def test_an_agreed_plan_becomes_the_new_order_in_place_of_the_old_one(counter: Client, running: Prescription) -> None:
    sentence = show(counter, running).context["proposal"].plan.sentence
    missing = take(counter, running, sentence, agreed_with="")
    assert "Say who at the prescriber agreed" in missing.content.decode()
    done = take(counter, running, sentence)
    new = Prescription.objects.get(status=PrescriptionStatus.ACTIVE)
    assert done["Location"] == check(new)
    running.refresh_from_db()
    assert (running.status, new.replaces) == (PrescriptionStatus.REPLACED, running)
    assert new.directions == sentence and new.then_stop is True
    assert new.notes == ["Planned here and agreed with Dr Mwangi: by telephone"]
    page = counter.get(check(new))
    stopped = [f.question.code for f in page.context["view"].findings if f.question.severity in ("stop", "override")]
    assert not stopped, "a plan that the rules accept raises no question of its own"


def test_a_plan_that_has_changed_meanwhile_is_not_taken(counter: Client, running: Prescription) -> None:
    refused = take(counter, running, "Take 5 mg once a day.")
    assert "another one by now" in refused.content.decode()
    running.refresh_from_db()
    assert running.status == PrescriptionStatus.ACTIVE


def test_a_technician_prints_the_request_and_takes_no_plan(
    client: Client, running: Prescription, pharmacist: StaffMember
) -> None:
    client.force_login(make.staff(pharmacist.pharmacy, StaffRole.TECHNICIAN).user)
    page = show(client, running)
    assert "A pharmacist makes it the new order" in page.content.decode()
    refused = take(client, running, page.context["proposal"].plan.sentence)
    assert "may not take an agreed plan as an order" in refused.content.decode()
    running.refresh_from_db()
    assert running.status == PrescriptionStatus.ACTIVE
    assert client.get(reverse("counter:plan-pdf", args=[running.pk]), WISHES).content.startswith(b"%PDF")


def test_a_slow_start_is_planned_up_to_the_ordered_dose(counter: Client, pharmacist: StaffMember) -> None:
    now = timezone.now()
    steep = make.prescription(
        make.patient(pharmacist.pharmacy, now=now),
        now=now,
        written_on=now.date().isoformat(),
        phases=[{"dose": 20, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="20 mg three times a day for 28 days",
        quantity=168,
    )
    proposal = show(counter, steep, goal="ordered").context["proposal"]
    levels = [phase.mg_per_day for phase in proposal.plan.regimen.phases]
    assert proposal.doses_now == () and levels[0] == 15 and levels[-1] == 60
    assert proposal.plan.regimen.total_days is None
    assert proposal.quantity >= 28 * 6, "the last dose goes on, and has tablets"


def test_who_takes_nothing_has_nothing_to_taper(counter: Client, pharmacist: StaffMember) -> None:
    now = timezone.now()
    prescription = make.prescription(make.patient(pharmacist.pharmacy, now=now), now=now)
    assert "takes nothing today" in show(counter, prescription).content.decode()
