"""A patient's messages, the reminders and the withdrawal-risk list with something on them, in a real Chromium."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from dispensary import reminders
from dispensary.actions import consent
from dispensary.models import Medium, Reminder, ReminderState, WorkKind
from dispensary.reminders.work import open_work
from tests.dispensary import make
from tests.dispensary.counter.test_reminders import supplied
from tests.journeys.browsing import check_page, open_window, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_what_a_patient_is_sent_is_seen_and_changed_by_keyboard_alone(
    browser: Browser, live_server: LiveServer, settings: Any
) -> None:
    settings.DISPENSARY = {**settings.DISPENSARY, "channels": {"email": "email", "voice": "sink", "whatsapp": "sink"}}
    make.products()
    member = make.staff(make.pharmacy(now=timezone.now() - timedelta(days=90)))
    patient = supplied(member)
    for days in (27, 28, 31):
        supplied(member, days_ago=days)
    number = "+34600123456"
    consent.add_contact(patient=patient, medium=Medium.SMS, address=number, by=member.actor(), now=timezone.now())
    failed = Reminder.objects.filter(patient=patient).order_by("due_at").first()
    assert failed is not None
    Reminder.objects.filter(pk=failed.pk).update(state=ReminderState.FAILED, attempts=8, last_error="provider-busy")
    reminders.tick()
    wrote = "The patient wrote: “I am seeing things and shaking since yesterday” Messages go on by e-mail."
    by, now = member.actor(), timezone.now()
    with transaction.atomic():
        open_work(
            WorkKind.RED_FLAG, pharmacy_id=member.pharmacy_id, patient_id=patient.pk, reason=wrote, by=by, now=now
        )
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, member)
        for name in ("reminders", "at-risk"):
            window.go(reverse(f"counter:{name}"))
            check_page(window, f"full-{name}")
        window.go(reverse("counter:reminders") + "?show=failed")
        check_page(window, "full-failed")
        window.go(reverse("counter:explain", args=[patient.pk]))
        check_page(window, "full-messages")
        window.tab_to(page.get_by_role("button", name="Says yes to text message"))
        window.follow("Enter")
        expect(page.get_by_text("Text message: the patient said yes.").first).to_be_visible()
        page.locator("#id_new-medium_2").check(force=True)
        page.get_by_label("E-mail address, or telephone number with its country").first.fill("020 7946 0123")
        page.get_by_role("button", name="Record the address").click()
        expect(page.get_by_text("Telephone call: the patient has not been asked").first).to_be_visible()
        check_page(window, "full-messages-with-calls")
        page.get_by_label("Time zone").fill("Mars/Olympus")
        page.get_by_role("button", name="Save language and time").click()
        expect(page.get_by_role("alert")).to_contain_text("a zone such as Europe/London")
        check_page(window, "full-messages-with-errors")
        page.get_by_label("Time zone").fill("Europe/Madrid")
        page.get_by_label("Language of the messages").select_option("es")
        page.get_by_role("button", name="Save language and time").click()
        expect(page.get_by_text("pida ya su próxima entrega").first).to_be_hidden()
    patient.refresh_from_db()
    assert (patient.time_zone, patient.language) == ("Europe/Madrid", "es")
