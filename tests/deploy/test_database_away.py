"""The database away, starting, full, or gone while it commits: 503 with what is true, and the same key shows what happened."""

import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape

import psycopg
import pytest
import requests
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect

from dispensary.actions import tokens
from dispensary.counter.styles import build
from dispensary.models import Dispense, Patient, Prescription, StaffMember
from tests.dispensary import make
from tests.dispensary.api.conftest import hand_over
from tests.journeys.browsing import check_page, open_window, sign_in
from tests.proxy import Proxy
from tests.site import Site, answers, running_web
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("machine_clock"),
]
WRITES_DISPENSE = b"INSERT INTO dispensary_dispense "
SECONDS = 60


@pytest.fixture(scope="module")
def proxy(site: Site) -> Iterator[Proxy]:
    """Between the web server and its database."""
    parts = psycopg.conninfo.conninfo_to_dict(site.database.url("app"))
    between = Proxy(str(parts["host"]), int(parts["port"]))
    yield between
    between.close()


@pytest.fixture(scope="module")
def address(site: Site, proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A web server of one process, as the Procfile starts it."""
    url = re.sub(r"@[^/]+/", f"@127.0.0.1:{proxy.port}/", site.database.url("app"))
    settings = {"DATABASE_URL": f"{url}?connect_timeout=60", "WEB_WORKERS": "1", "WEB_THREADS": "4"}
    with running_web(site, tmp_path_factory.mktemp("web"), **settings) as (web_address, _):
        yield web_address


@pytest.fixture
def pharmacist() -> StaffMember:
    build.build(with_test_tools=True, quiet=True)
    make.products()
    member = make.staff(make.pharmacy(now=timezone.now() - timedelta(hours=1)))
    member.user.password = PBKDF2PasswordHasher().encode(make.PASSWORD, "salt", iterations=1000)
    member.user.save()
    return member


@pytest.fixture
def order(pharmacist: StaffMember) -> Prescription:
    patient = make.patient(pharmacist.pharmacy)
    return make.prescription(patient)


class Program:
    """A client with a token of its own."""

    def __init__(self, address: str, member: StaffMember) -> None:
        self.address = address
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Token {tokens.issue(user=member.user, now=timezone.now())}"

    def get(self, path: str) -> requests.Response:
        return self.session.get(f"{self.address}/api/v1/{path}", timeout=SECONDS)

    def post(self, path: str, body: object, **headers: str) -> requests.Response:
        return self.session.post(f"{self.address}/api/v1/{path}", json=body, headers=headers, timeout=SECONDS)

    def dispense(self, order: Prescription, key: str) -> requests.Response:
        body = hand_over(str(order.quantity))
        return self.post(f"prescriptions/{order.pk}/dispenses/", body, **{"Idempotency-Key": key})


@pytest.fixture
def program(address: str, pharmacist: StaffMember) -> Program:
    return Program(address, pharmacist)


def check_problem(answer: requests.Response, code: str, detail: str) -> None:
    assert answer.status_code == 503 and answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    assert (answer.json()["code"], answer.json()["detail"]) == (code, detail)


def test_a_dispense_whose_commit_went_unanswered_is_not_denied_and_the_same_key_shows_it(
    program: Program, proxy: Proxy, order: Prescription
) -> None:
    proxy.loses_commit_after = WRITES_DISPENSE
    unknown = program.dispense(order, "one")
    check_problem(unknown, "outcome-unknown", "It is not known whether this was written. Send the same key again.")
    assert proxy.committed.is_set() and Dispense.objects.count() == 1
    repeated = program.dispense(order, "one")
    assert repeated.status_code == 201 and repeated.json()["id"] == str(Dispense.objects.get().pk)
    assert Dispense.objects.count() == 1


def test_a_request_without_a_key_is_not_told_to_send_it_again(
    program: Program, proxy: Proxy, pharmacist: StaffMember
) -> None:
    proxy.loses_commit_after = b'INSERT INTO "dispensary_patient"'
    unknown = program.post("patients/", {"identifier": "N-1", "family_name": "New"})
    detail = "It is not known whether this was written. Look whether it is there before you send it again."
    check_problem(unknown, "outcome-unknown", detail)
    assert Patient.objects.filter(identifier="N-1").count() == 1


def test_an_outcome_that_is_not_known_is_a_transient_issue_of_fhir(program: Program, proxy: Proxy) -> None:
    with proxy.away():
        answer = program.get("fhir/MedicationDispense/00000000-0000-4000-8000-000000000000")
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "3"
    assert answer.headers["Content-Type"].startswith("application/fhir+json")
    assert [issue["code"] for issue in answer.json()["issue"]] == ["transient"]


def test_while_the_database_is_away_a_program_is_told_to_come_back(
    program: Program, proxy: Proxy, order: Prescription
) -> None:
    with proxy.away():
        check_problem(
            program.dispense(order, "two"),
            "database-away",
            "Nothing was written. Send the same request again in 3 seconds.",
        )
        check_problem(program.get("patients/"), "database-away", "Send the same request again in 3 seconds.")
    assert program.dispense(order, "two").status_code == 201


class Counter:
    """A person's browser without scripts."""

    def __init__(self, address: str, member: StaffMember) -> None:
        self.address = address
        self.session = requests.Session()
        page = self.get("/accounts/login/")
        signed_in = self.send(page, login=member.user.get_username(), password=make.PASSWORD)
        assert signed_in.status_code == 200 and "Lock" in signed_in.text

    def get(self, path: str) -> requests.Response:
        return self.session.get(f"{self.address}{path}", timeout=SECONDS)

    def send(self, page: requests.Response, to: str = "", **typed: str) -> requests.Response:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token
        sent = {"csrfmiddlewaretoken": token[1], **typed}
        referer = {"Referer": page.url}
        return self.session.post(f"{self.address}{to}" if to else page.url, sent, headers=referer, timeout=SECONDS)


@pytest.fixture
def counter(address: str, pharmacist: StaffMember) -> Counter:
    return Counter(address, pharmacist)


def form_of(text: str, name: str) -> dict[str, str]:
    """Return the hidden fields of a form of an outage page."""
    (form,) = re.findall(rf'<form method="post"[^>]*{name}.*?</form>', text, re.S)
    return {field: unescape(value) for field, value in re.findall(r'name="([^"]+)" value="([^"]*)"', form)}


def hand_over_fields(page: requests.Response, order: Prescription) -> dict[str, str]:
    key = re.search(r'name="key" value="(\w+)"', page.text)
    assert key
    return {
        "key": key[1], "quantity": f"{order.quantity.normalize():f}", "gtin": make.TEN_MG, "lot": "A1B2",
        "expiry": str(make.pack_expiry()), "serial": "", "dispense-it": "1",
    }  # fmt: skip


def test_the_counter_asks_again_with_the_same_key_and_shows_what_happened(
    counter: Counter, proxy: Proxy, order: Prescription
) -> None:
    path = reverse("counter:check", args=[order.pk])
    page = counter.get(path)
    proxy.loses_commit_after = WRITES_DISPENSE
    unknown = counter.send(page, **hand_over_fields(page, order))
    assert unknown.status_code == 503 and unknown.headers["Retry-After"] == "3"
    assert "It is not known whether this was done" in unknown.text and "Nothing was written" not in unknown.text
    again = form_of(unknown.text, 'id="again"')
    outcome = counter.send(unknown, path, **{name: value for name, value in again.items() if name[:4] != "csrf"})
    assert outcome.url.endswith(reverse("counter:dispensed", args=[Dispense.objects.get().pk]))
    assert Dispense.objects.count() == 1


def test_what_was_typed_is_on_the_page_that_says_that_the_database_is_away(
    counter: Counter, proxy: Proxy, order: Prescription
) -> None:
    path = reverse("counter:check", args=[order.pk])
    page = counter.get(path)
    fields = hand_over_fields(page, order)
    with proxy.away():
        away = counter.send(page, **fields)
        assert away.status_code == 503
        assert "The database does not answer" in away.text and "What still works" in away.text
        assert form_of(away.text, 'id="again"').items() >= fields.items()
        reading = counter.get(path)
        assert reading.status_code == 503 and "opens by itself" in reading.text
        assert "Nothing was written" not in reading.text
    done = counter.send(away, path, **fields)
    assert "/dispenses/" in done.url and Dispense.objects.count() == 1


def test_a_password_is_on_no_page_and_the_words_beside_it_come_back(
    counter: Counter, proxy: Proxy, order: Prescription
) -> None:
    path = reverse("counter:override", args=[order.pk])
    page = counter.get(path)
    with proxy.away():
        away = counter.send(page, words="Dr Mwangi raised it", password=make.PASSWORD)
    assert away.status_code == 503 and make.PASSWORD not in away.text and 'id="again"' not in away.text
    back = form_of(away.text, "data-asks")
    assert back["next"] == page.url.removeprefix(counter.address) and "Dr Mwangi raised it" in back["typed"]
    assert counter.send(away, reverse("counter:resume"), next=back["next"], typed=back["typed"]).status_code == 200


def test_the_sign_in_page_says_it_too(counter: Counter, proxy: Proxy) -> None:
    page = requests.get(f"{counter.address}/accounts/login/", timeout=SECONDS)
    with proxy.away():
        away = counter.send(page, login="somebody", password=secrets.token_hex())
    assert away.status_code == 503 and "The database does not answer" in away.text


def test_health_says_no_and_says_why(address: str, proxy: Proxy) -> None:
    with proxy.away():
        for path in ("ready", "reminders", "audit"):
            answer = requests.get(f"{address}/health/{path}", timeout=SECONDS)
            assert answer.status_code == 503 and "database" in answer.text and answer.json()
        assert requests.get(f"{address}/health/live", timeout=SECONDS).ok


def test_health_answers_while_a_silent_database_holds_every_thread(address: str, proxy: Proxy) -> None:
    def ask_database(number: int) -> int:
        stranger = {"Authorization": f"Token {number}"}
        return requests.get(f"{address}/api/v1/me/", headers=stranger, timeout=SECONDS).status_code

    with ThreadPoolExecutor(12) as callers:
        with proxy.silent():
            waiting = [callers.submit(ask_database, number) for number in range(12)]
            for _ in range(3):
                assert requests.get(f"{address}/health/live", timeout=SECONDS).ok
                ready = requests.get(f"{address}/health/ready", timeout=SECONDS)
                assert ready.status_code == 503 and "in time" in ready.json()["database"]
            assert not any(call.done() for call in waiting)
        assert {call.result() for call in waiting} == {401}
    wait_until(lambda: answers(f"{address}/health/ready"), SECONDS)


def test_a_browser_sends_it_again_by_itself(
    browser: Browser, address: str, proxy: Proxy, pharmacist: StaffMember, order: Prescription
) -> None:
    with open_window(browser, address) as window:
        page = window.page
        sign_in(window, pharmacist)
        page.goto(f"{address}{reverse('counter:check', args=[order.pk])}")
        page.fill("#id_scan", f"01{make.TEN_MG}17{make.pack_expiry():%y%m%d}10LOT7")
        page.press("#id_scan", "Enter")
        expect(page.locator("#id_lot")).to_have_value("LOT7")
        proxy.loses_commit_after = WRITES_DISPENSE
        page.click("#act")
        expect(page.get_by_role("heading", name="It is not known whether this was done")).to_be_visible()
        expect(page).to_have_url(re.compile("/dispenses/"), timeout=SECONDS * 1000)
        assert Dispense.objects.count() == 1


def test_the_page_that_says_it_is_without_fault(
    browser: Browser, address: str, proxy: Proxy, pharmacist: StaffMember
) -> None:
    with open_window(browser, address) as window:
        sign_in(window, pharmacist)
        window.page.route("**/queue/news*", lambda _: None)  # it waits for an answer while we look
        with proxy.away():
            window.go("/")
            expect(window.page.get_by_role("heading", name="The database does not answer")).to_be_visible()
            window.console_errors.clear()  # of the 503
            check_page(window, "database-away")
        window.page.get_by_role("link", name="Try again now").click()
        expect(window.page.get_by_role("heading", name="Queue")).to_be_visible()
