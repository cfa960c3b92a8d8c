"""The audit desk in a real Chromium: what it says of a log that was altered, and of one that was not checked."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from deploy.demo.attacks import Attack, unguarded
from dispensary import tasks
from dispensary.actions import documents, limit_trials, log_exports, long_exports, staff_alerts
from dispensary.actions.documents import Document
from dispensary.actors import Actor
from dispensary.audit.checks import counts, live, requests, verification
from dispensary.audit.evidence import verify
from dispensary.audit.log.database import LogRow, all_logs, raw_connection
from dispensary.audit.sealing import service
from dispensary.counter import log_standing
from dispensary.models import AuditLog, Patient, StaffAlert, StaffMember, StaffRole
from tests.dispensary import make
from tests.dispensary.audit.conftest import own_key  # noqa: F401  (a fixture)
from tests.journeys.browsing import BrowserWindow, check_page, open_window, sign_in
from tests.site import Database

pytestmark = [
    pytest.mark.usefixtures("own_key"),
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True, databases=["default", "sealer", "owner"]),
]


@pytest.fixture
def auditor(pharmacist: StaffMember) -> StaffMember:
    """Of a pharmacy with an order in its log."""
    make.prescription(make.patient(pharmacist.pharmacy), now=timezone.now())
    return make.staff(pharmacist.pharmacy, StaffRole.AUDITOR)


def seal(member: StaffMember) -> LogRow:
    service.seal_round(service.make_sealer(), timezone.now(), pharmacy=member.pharmacy_id)
    return all_logs(raw_connection("sealer"), member.pharmacy_id)[0]


def check(member: StaffMember) -> None:
    """The nightly checks, without findings, recorded by the sealer's role."""
    row = seal(member)
    result = live.check_log(raw_connection("sealer"), row, [], stored=False)
    verification.record_verification(row, result, Actor.system("verifier", row.pharmacy), timezone.now())
    verification._record_comparison(verification.Comparison((), (), ""), timezone.now())
    seal(member)


def test_what_does_not_fit_its_hash_is_said_and_the_banner_turns_red_with_age(
    browser: Browser, live_server: LiveServer, auditor: StaffMember, database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    check(auditor)
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, auditor)
        expect(page.get_by_text("This log was whole when it was last verified")).to_be_visible()
        expect(page.get_by_text("does not fit")).to_have_count(0)
        check_page(window, "log-whole")
        with monkeypatch.context() as patch:
            patch.setattr(log_standing, "CHECK_MAX_AGE", timedelta(0))
            page.reload()
            notice = page.locator(".d-notice--stop").first
            expect(notice.get_by_text("was not verified for more than 26 hours")).to_be_visible()
            check_page(window, "log-old")
        row = seal(auditor)
        with database.connect("superuser") as connection, unguarded(connection):
            attack = Attack(connection, row.log_id)
            attack.set_entry(2, "actor = 'user:66'")
            attack.set_body(3, "{}")
        page.reload()
        expect(page.get_by_text("This entry does not fit its hash")).to_have_count(1)
        expect(page.get_by_text("The details do not fit their hash")).to_have_count(1)
        expect(page.get_by_text("This log was altered")).to_be_visible()
        check_page(window, "log-altered")
        result = live.check_log(raw_connection("sealer"), row, [], stored=False)
        verification.record_verification(row, result, Actor.system("verifier", row.pharmacy), timezone.now())
        page.get_by_role("navigation", name="Review of the log").get_by_role("link", name="Checks").click()
        expect(page.get_by_role("row").filter(has_text="Interference")).to_have_count(1)
        check_page(window, "log-checks-failed")
        page.get_by_role("link", name="All entries").click()
        page.get_by_role("row").filter(has_text="The details do not fit").get_by_role("link").click()
        expect(page.get_by_text("Do not rely on what is shown here")).to_be_visible()
        check_page(window, "log-altered-entry")


@pytest.fixture
def complaint(pharmacist: StaffMember) -> StaffMember:
    """An auditor where Petra Novak's 105 mg a day were overridden, handed over and labelled."""
    make.products()
    now = timezone.now()
    patient = make.patient(
        pharmacist.pharmacy, family_name="Novak", given_name="Petra", birth_date="1974-02-03", now=now
    )
    order = make.prescription(
        patient, phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="35 mg three times a day for 28 days", quantity=294, now=now,
    )  # fmt: skip
    done = make.hand_over(order, pharmacist.actor(), now=now)
    documents.print_document(dispense=done, document=Document.LABEL, by=pharmacist.actor(), now=now)
    auditor = make.staff(pharmacist.pharmacy, StaffRole.AUDITOR)
    check(auditor)
    return auditor


def judge(file: Path, keys: Path) -> tuple[int, str]:
    """Exit status and words of `verify.py`, run as on another machine."""
    done = subprocess.run(
        [sys.executable, verify.__file__, str(file), "--vkey", str(keys)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_one_patients_complaint_becomes_printed_evidence_without_a_shell(
    browser: Browser, live_server: LiveServer, complaint: StaffMember, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.txt"
    row = seal(complaint)
    keys.write_text("".join(f"{key.named(row.origin).verifier}\n" for key in service.make_sealer().keys))
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, complaint)
        window.tab_to(page.get_by_role("link", name="Patients"))
        window.follow("Enter")
        check_page(window, "desk-find")
        page.locator("#id_words").focus()
        page.keyboard.type("novak")
        window.follow("Enter")
        expect(page.get_by_role("heading", name="Petra Novak")).to_be_visible()
        check_page(window, "desk-patient")
        page.get_by_role("link", name="Order ").first.click()
        expect(page.get_by_text("105 mg a day is above the 100 mg daily maximum").first).to_be_visible()
        expect(page.get_by_text("Says", exact=True)).to_be_visible()
        check_page(window, "desk-order")
        page.get_by_role("listitem").filter(has_text="signed an answer to daily-maximum").get_by_role("link").click()
        expect(page.get_by_text("How it was worked out")).to_be_visible()
        check_page(window, "desk-entry")
        with page.expect_download() as download:
            page.get_by_role("link", name="Prove this entry").click()
        download.value.save_as(tmp_path / "proof.json")
        assert judge(tmp_path / "proof.json", keys)[0] == verify.OK
        page.get_by_role("link", name="What was shown, signed and printed for it").click()
        page.get_by_role("link", name="Export as evidence").click()
        page.get_by_label("What for").fill("Complaint of Petra Novak, 29 November")
        check_page(window, "desk-export")
        with page.expect_download() as download:
            page.get_by_role("button", name="Export").click()
        download.value.save_as(tmp_path / "evidence.zip")
        status, words = judge(tmp_path / "evidence.zip", keys)
        assert status in (verify.OK, verify.INCOMPLETE), words  # the export's own line is signed a moment later
        assert "TAMPERED" not in words


def test_the_pages_of_the_desk_are_without_fault(
    browser: Browser, live_server: LiveServer, complaint: StaffMember
) -> None:
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, complaint)
        page.get_by_role("link", name="Overrides").first.click()
        expect(page.get_by_role("cell", name="Petra Novak").first).to_be_visible()
        check_page(window, "desk-overrides")
        page.get_by_label("Rule").select_option("daily-maximum")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_text("1 answer", exact=True)).to_be_visible()
        log, today = AuditLog.objects.get(pharmacy=complaint.pharmacy_id), complaint.pharmacy.local_day(timezone.now())
        counts.count_day(log, complaint.pharmacy, today, now=timezone.now())
        window.go(f"{reverse('counter:audit-quality')}?until={today}")
        expect(page.get_by_role("link", name="Daily maximum")).to_be_visible()
        check_page(window, "desk-rules")
        page.get_by_role("navigation", name="Review of the log").get_by_role("link", name="Try a limit").click()
        page.get_by_label("Limit", exact=True).select_option(
            label="All rules: daily maximum, from 12 years: 100\xa0mg a day"
        )
        page.get_by_label("Number to try").fill("110")
        check_page(window, "desk-trials")
        page.get_by_role("button", name="Ask the decisions again").click()
        expect(page.get_by_text("It waits for the worker.")).to_be_visible()
        check_page(window, "desk-trial-waits")
        limit_trials.run_next(timezone.now)
        page.get_by_text("would differ, in 1 order.").wait_for()
        check_page(window, "desk-trial-done")
        page.get_by_role("navigation", name="Review of the log").get_by_role("link", name="Peer review").click()
        page.get_by_label("From").fill(str(today - timedelta(days=1)))
        page.get_by_label("To").fill(str(today))
        check_page(window, "desk-samples")
        page.get_by_role("button", name="Draw a sample").click()
        first = page.get_by_role("group", name="Would you have answered like that").first
        first.get_by_label("Discuss").check()
        page.get_by_role("group", name="Was the finding right").first.get_by_label("Yes").check()
        page.get_by_role("button", name="Record the judgement on 1").click()
        expect(page.locator(".nhsuk-error-summary")).to_be_visible()
        check_page(window, "desk-sample-refused")
        page.get_by_label("In words").first.fill("Was the prescriber's answer written down?")
        page.get_by_role("button", name="Record the judgement on 1").click()
        expect(page.get_by_text("judged, 1 to discuss")).to_be_visible()
        check_page(window, "desk-sample")
        window.go(f"{reverse('counter:audit-quality')}?until={today}")
        expect(page.get_by_role("heading", name="Judged in peer review")).to_be_visible()
        check_page(window, "desk-rules-judged")
        page.get_by_role("link", name="Findings that a change of facts silenced").click()
        expect(page.get_by_text("None in this period.")).to_be_visible()
        check_page(window, "desk-edits")
        page.get_by_role("navigation", name="Review of the log").get_by_role("link", name="Access").click()
        page.get_by_label("Day", exact=True).fill(str(today))
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("heading", name="No reason found by the program")).to_be_visible()
        check_page(window, "desk-access")
        page.get_by_role("navigation", name="Review of the log").get_by_role("link", name="Day").click()
        check_page(window, "desk-day")
        page.get_by_role("button", name="Sign this day").click()
        expect(page.get_by_text(f"Signed by {complaint.display_name}")).to_be_visible()
        check_page(window, "desk-day-signed")
        page.get_by_role("navigation", name="Review of the log").get_by_role("link", name="Checks").click()
        check_page(window, "desk-checks")
        page.get_by_role("button", name="Verify the log").click()
        expect(page.get_by_text("It waits for the sealer.")).to_be_visible()
        check_page(window, "desk-checks-running")
        seal(complaint)
        assert requests.run_next(timezone.now())
        page.get_by_text("What it found stands at the top").wait_for()
        check_page(window, "desk-checks-done")


def save_prepared_export(window: BrowserWindow, name: str, file: Path) -> None:
    """Send the form of an export, prepare it as a worker does, and save its file; `name` begins the names of the pictures."""
    page = window.page
    page.get_by_role("button", name="Export").click()
    expect(page.get_by_text("It waits for the worker.")).to_be_visible()
    check_page(window, f"{name}-waits")
    assert long_exports.prepare_next(timezone.now)
    with page.expect_download() as download:
        page.get_by_role("link", name=" row").click()
    check_page(window, f"{name}-ready")
    download.value.save_as(file)


def test_a_long_export_is_prepared_while_the_page_says_how_far_it_is(
    browser: Browser, live_server: LiveServer, complaint: StaffMember, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(log_exports, "MOST_ROWS", 0)
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, complaint)
        window.go(reverse("counter:audit-export"))
        page.get_by_label("What for").fill("Inspection of 30 November")
        page.get_by_role("radio", name="Overrides as a table").check()
        save_prepared_export(window, "desk-export", tmp_path / "answers.zip")
        assert "Petra Novak" in zipfile.ZipFile(tmp_path / "answers.zip").read("answers.csv").decode()


def test_a_manager_takes_the_prescriptions_out_as_tables(
    browser: Browser, live_server: LiveServer, complaint: StaffMember, tmp_path: Path
) -> None:
    manager = make.staff(complaint.pharmacy, StaffRole.MANAGER, now=timezone.now())
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, manager)
        expect(page.get_by_role("navigation").first).to_be_visible()
        page.get_by_role("link", name="Day", exact=True).click()
        page.get_by_role("link", name="My overrides as counts").click()
        expect(page.get_by_role("rowheader", name="Everybody together")).to_be_visible()
        check_page(window, "own-answers")
        window.go(reverse("counter:audit-export"))
        expect(page.get_by_label("What for")).to_be_visible()
        check_page(window, "records-export")
        page.get_by_role("button", name="Export").click()
        for fault in ("Choose what to export", "Say what the export is for"):
            expect(page.get_by_role("link", name=fault)).to_be_visible()
        check_page(window, "records-export-refused")
        page.get_by_role("radio", name="Prescriptions").check()
        page.get_by_label("What for").fill("Change to another system")
        save_prepared_export(window, "records-export", tmp_path / "orders.zip")
        with zipfile.ZipFile(tmp_path / "orders.zip") as archive:
            assert "35 mg three times a day" in archive.read("orders.csv").decode()


def test_a_patients_file_is_prepared_by_one_manager_and_released_by_another(
    browser: Browser, live_server: LiveServer, complaint: StaffMember, tmp_path: Path
) -> None:
    asker, second = (make.staff(complaint.pharmacy, StaffRole.MANAGER, now=timezone.now()) for _ in range(2))
    patient = Patient.objects.get(pharmacy=complaint.pharmacy, family_name="Novak")
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, asker)
        expect(page.get_by_role("navigation").first).to_be_visible()
        window.go(reverse("counter:audit-patient", args=[patient.pk]))
        page.get_by_role("link", name="File for the patient").click()
        check_page(window, "file-request")
        page.get_by_role("button", name="Have it prepared").click()
        expect(page.get_by_role("link", name="Say how you checked who asks")).to_be_visible()
        page.get_by_label("How you checked who asks").fill("Passport seen at the counter")
        page.get_by_role("button", name="Have it prepared").click()
        expect(page.get_by_text("It is being prepared.")).to_be_visible()
        check_page(window, "file-waits")
        address = page.url
    seal(complaint)
    assert long_exports.prepare_next(timezone.now)
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, second)
        expect(page.get_by_role("navigation").first).to_be_visible()
        window.go(reverse("counter:audit-files"))
        check_page(window, "files")
        page.get_by_role("link", name="Petra Novak").click()
        expect(page).to_have_url(address)
        check_page(window, "file-prepared")
        page.get_by_role("checkbox", name="Leave out these details").first.check()
        page.get_by_role("button", name="Release").click()
        expect(page.get_by_role("link", name="The reason is missing")).to_be_visible()
        check_page(window, "file-refused")
        page.get_by_label("Reason").fill("These details name the patient's mother.")
        page.get_by_role("button", name="Release").click()
        link = page.get_by_role("link", name="Open the file")
        expect(link).to_be_visible()
        with page.expect_download() as download:
            link.click()
        download.value.save_as(tmp_path / "file.zip")
        check_page(window, "file-released")
        archive = zipfile.ZipFile(tmp_path / "file.zip")
        assert "Novak" in archive.read("person.json").decode()
        (tmp_path / "person.pdf").write_bytes(archive.read("person.pdf"))


def test_an_alert_reaches_people_and_is_answered_at_the_desk(
    browser: Browser,
    live_server: LiveServer,
    pharmacist: StaffMember,
    database: Database,
    settings: Any,
    tmp_path: Path,
) -> None:
    sent = tmp_path / "sent.jsonl"
    settings.DISPENSARY = {
        **settings.DISPENSARY, "channels": {"email": "sink"}, "channel_options": {"sink": {"file": str(sent), "words": True}},
        "public_url": live_server.url,
    }  # fmt: skip
    manager = make.staff(pharmacist.pharmacy, StaffRole.MANAGER)
    staff_alerts.open_found(now=timezone.now())  # of checks that failed in other tests
    StaffAlert.objects.update(answered_at=timezone.now(), answered_by="system:tests")
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, manager)
        window.go(reverse("counter:settings"))
        page.get_by_role("link", name="Who is told of alerts").click()
        check_page(window, "alert-people-empty")
        for rank, member in (("Named person", manager), ("Deputy", pharmacist)):
            group = page.get_by_role("group", name=rank)
            group.get_by_label("Person").select_option(label=str(member))
            group.get_by_label("Address or number").fill(f"{member.user.username}@example.org")
        window.follow("F9")
        expect(page.get_by_text("Saved.")).to_be_visible()
        check_page(window, "alert-people")
        row = seal(manager)
        with database.connect("superuser") as connection, unguarded(connection):
            Attack(connection, row.log_id).set_entry(2, "actor = 'user:66'")
        result = live.check_log(raw_connection("sealer"), row, [], stored=False)
        verification.record_verification(row, result, Actor.system("verifier", row.pharmacy), timezone.now())
        tasks.tell_alerts()
        messages = [json.loads(line) for line in sent.read_text().splitlines()]
        (message,) = [message for message in messages if message["to"] == f"{manager.user.username}@example.org"]
        page.goto(message["text"].rpartition(" ")[2])
        expect(page.get_by_role("heading", name="The log or the tables failed their check").first).to_be_visible()
        check_page(window, "alert-open")
        page.get_by_label("What you do about it").fill("I ask the database's administrator")
        page.get_by_role("button", name="Answer").click()
        expect(page.get_by_text("No alert is open.")).to_be_visible()
        check_page(window, "alerts-answered")
