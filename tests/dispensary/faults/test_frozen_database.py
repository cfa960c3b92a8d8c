"""PostgreSQL stopped with SIGSTOP during a dispense: clients that give up and send the same key again get one dispense, whole."""

import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID

import psutil
import pytest
import requests

from dispensary.models import Dispense, IdempotentRequest
from dispensary.models.audit import AuditEntry
from tests.deploy.test_database_away import Program, order, pharmacist  # noqa: F401  (fixtures)
from tests.dispensary.api.conftest import hand_over
from tests.site import answers, running_web
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("machine_clock"),
]
SECONDS = 120


@pytest.fixture
def web(site, tmp_path):
    """A web server of one process, its address and its process; a statement may take ten seconds."""
    if site.database.server is None:
        pytest.skip("a server that DATABASE_URL names is not ours to stop")
    with running_web(site, tmp_path, WEB_WORKERS="1", WEB_THREADS="8", STATEMENT_TIMEOUT="10s") as started:
        yield started


@contextmanager
def frozen(server):
    """Stop every process of PostgreSQL where it stands, and let all go on afterwards. Nothing may ask the database meanwhile."""
    postmaster = psutil.Process(server.process.pid)
    postmaster.suspend()  # first, so that it starts no other
    processes = [postmaster, *postmaster.children(recursive=True)]
    try:
        for process in processes[1:]:
            process.suspend()
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


def give_up(program: Program, path: str, body: object, key: str) -> requests.Response | None:
    """Send a dispense as a client that waits two seconds; None where no answer came meanwhile."""
    headers = {"Idempotency-Key": key}
    try:
        return program.session.post(f"{program.address}/api/v1/{path}", json=body, headers=headers, timeout=2)
    except requests.ReadTimeout:
        return None


def repeat_until_answered(program, prescription, key):
    """Send the same key again as long as the site says that it is not over; return the first final answer."""

    def ask():
        answer = program.dispense(prescription, key)
        return None if answer.status_code == 503 and int(answer.headers["Retry-After"]) else answer

    return wait_until(ask, SECONDS)


def check_away(answer):
    """Check that a request was told what is true of it."""
    assert (answer.status_code, answer.json()["code"]) == (503, "database-away"), answer.text
    assert answer.json()["detail"].startswith("Nothing was written.")


def check_one_dispense(web, answer, prescription):
    """Let the web server finish every request that its clients have left, then count what was written."""
    web.end(patience=SECONDS)
    assert answer.status_code == 201, answer.text
    assert [row.pk for row in Dispense.objects.filter(prescription=prescription)] == [UUID(answer.json()["id"])]
    assert IdempotentRequest.objects.get(key="frozen").status == 201
    assert AuditEntry.objects.filter(pharmacy=prescription.pharmacy_id, action="dispense.completed").count() == 1


def test_a_client_that_gave_up_on_a_frozen_database_and_sends_the_key_again_gets_one_dispense(
    site, web, pharmacist, order  # noqa: F811  (pytest passes the imported fixtures)
):  # fmt: skip
    address, server = web
    program = Program(address, pharmacist)
    path, body = f"prescriptions/{order.pk}/dispenses/", hand_over(str(order.quantity))
    assert program.get("me/").status_code == 200  # over a link that stays open
    with frozen(site.database.server):
        for _ in range(2):
            answer = give_up(program, path, body, "frozen")
            assert answer is None or (answer.status_code, answer.json()["code"]) == (503, "database-away")
        check_away(program.dispense(order, "frozen"))  # over an open link, and it ends while the server stands still
        assert requests.get(f"{address}/health/live", timeout=SECONDS).ok
        assert requests.get(f"{address}/health/ready", timeout=SECONDS).status_code == 503
    first = repeat_until_answered(program, order, "frozen")
    assert program.dispense(order, "frozen").json()["id"] == first.json()["id"]
    wait_until(lambda: answers(f"{address}/health/ready"), SECONDS)
    check_one_dispense(server, first, order)


def test_a_dispense_that_stood_still_in_its_middle_and_its_repeats_are_one(
    site, web, pharmacist, order  # noqa: F811  (pytest passes the imported fixtures)
):  # fmt: skip
    address, server = web
    program = Program(address, pharmacist)
    path, body = f"prescriptions/{order.pk}/dispenses/", hand_over(str(order.quantity))
    with (
        site.database.connect(autocommit=False) as holder,
        site.database.connect() as watcher,
        ThreadPoolExecutor(1) as executor,
    ):
        holder.execute("SELECT FROM dispensary_patient WHERE id = %s FOR UPDATE", [order.patient_id])
        begun = executor.submit(program.dispense, order, "frozen")
        waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = %s"
        wait_until(lambda: watcher.execute(waiting, [site.database.roles.app.name]).fetchone() is not None, SECONDS)
        with frozen(site.database.server):
            for _ in range(2):
                answer = give_up(program, path, body, "frozen")
                assert answer is None or answer.status_code == 503
            check_away(begun.result())
        holder.rollback()
    first = repeat_until_answered(program, order, "frozen")
    assert program.dispense(order, "frozen").json()["id"] == first.json()["id"]
    check_one_dispense(server, first, order)
