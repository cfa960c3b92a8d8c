"""The same instant at the level of the actions: two threads, two connections, one row."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from dispensary.actions import dispenses, overrides
from dispensary.actions.corrections import correct_identity
from dispensary.actions.intake import Intake, take_in
from dispensary.actions.locks import lock
from dispensary.actions.refusals import Refused
from dispensary.models import Dispense, Namesake, OverrideState, Patient, Pharmacy, Source, StaffRole
from tests.dispensary import make

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run all calls in the same instant, each on its own connection; results or exceptions, in the order given."""
    gate = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(number: int, call: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            gate.wait()
            results[number] = call()
        except Exception as error:  # the test looks at it
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.fixture
def shop() -> Pharmacy:
    make.products()
    return make.pharmacy()


def handing_over(order: Any, by: Any, key: str) -> Callable[[], Any]:
    return lambda: dispenses.dispense(
        prescription=order, quantity=order.quantity, pack=make.pack(), key=key, by=by, now=timezone.now()
    )


def test_two_hand_overs_are_one_dispense_and_one_refusal(shop: Pharmacy) -> None:
    now = timezone.now()
    order = make.prescription(make.patient(shop, now=now), now=now, written_on=str(now.date()))
    first, second = (make.staff(shop, StaffRole.PHARMACIST, now=now).actor() for _ in range(2))
    results = at_once(handing_over(order, first, "a"), handing_over(order, second, "b"))
    (done,) = [result for result in results if isinstance(result, Dispense)]
    (refused,) = [result for result in results if isinstance(result, Refused)]
    assert done.dispenser_name in refused.problems[0].given
    assert order.dispensed() == order.quantity


def test_one_key_in_two_threads_is_one_dispense(shop: Pharmacy) -> None:
    now = timezone.now()
    order = make.prescription(make.patient(shop, now=now), now=now, written_on=str(now.date()))
    by = make.staff(shop, StaffRole.PHARMACIST, now=now).actor()
    results = at_once(*[handing_over(order, by, "same")] * 3)
    assert len({result.pk for result in results}) == 1
    assert Dispense.objects.count() == 1


def test_an_answer_is_used_or_withdrawn_but_never_both(shop: Pharmacy) -> None:
    now = timezone.now()
    person = make.patient(shop, now=now, egfr=None)
    order = make.prescription(person, now=now, written_on=str(now.date()), quantity=56)
    by = make.staff(shop, StaffRole.PHARMACIST, now=now).actor()
    (answer,) = overrides.sign(prescription=order, answers=[overrides.Answer(finding="quantity")], by=by, now=now)
    rest = [q.code for q in _still_asked(order, by)]
    results = at_once(
        lambda: dispenses.dispense(
            prescription=order,
            quantity=order.quantity,
            pack=make.pack(),
            acknowledged=rest,
            key="k",
            by=by,
            now=timezone.now(),
        ),
        lambda: overrides.withdraw(override=answer, reason="changed my mind", by=by, now=timezone.now()),
    )
    answer.refresh_from_db()
    assert answer.state == (OverrideState.USED if isinstance(results[0], Dispense) else OverrideState.WITHDRAWN)
    assert (answer.dispense_id is not None) == isinstance(results[0], Dispense)


def test_an_answer_is_not_withdrawn_while_a_hand_over_leans_on_it(shop: Pharmacy) -> None:
    now = timezone.now()
    order = make.prescription(make.patient(shop, now=now), now=now, written_on=str(now.date()), quantity=56)
    by = make.staff(shop, StaffRole.PHARMACIST, now=now).actor()
    (answer,) = overrides.sign(prescription=order, answers=[overrides.Answer(finding="quantity")], by=by, now=now)
    holds = threading.Event()

    def handing_over_slowly() -> float:
        with transaction.atomic():
            lock(order)
            holds.set()
            time.sleep(1)
            return time.monotonic()

    def withdrawing() -> float:
        holds.wait(10)
        overrides.withdraw(override=answer, reason="changed my mind", by=by, now=timezone.now())
        return time.monotonic()

    handed_over, withdrawn = at_once(handing_over_slowly, withdrawing)
    assert withdrawn > handed_over


def _still_asked(order: Any, by: Any) -> Any:
    refused = dispenses.dispense(
        prescription=order, quantity=order.quantity, pack=make.pack(), key="probe", by=by, now=timezone.now()
    )
    return refused.unanswered if isinstance(refused, Refused) else ()


def test_the_same_identifier_twice_at_once_is_one_order(shop: Pharmacy) -> None:
    now = timezone.now()
    person, by = make.patient(shop, now=now), make.staff(shop, StaffRole.TECHNICIAN, now=now).actor()
    intake = Intake(
        patient=person,
        prescriber=make.prescriber(shop, now=now),
        order=make.CLEAN_ORDER | {"written_on": str(now.date())},
        source=Source.FHIR,
        document={},
        identifiers=[("urn:ehr", "RX-1")],
    )
    first, second = at_once(*[lambda: take_in(intake, pharmacy=shop, by=by, now=now)] * 2)
    assert first.prescription == second.prescription
    assert {first.is_new, second.is_new} == {True, False}


def test_one_person_registered_twice_at_once_is_noticed(shop: Pharmacy) -> None:
    """While the record that both resemble is corrected, which must not end in a deadlock."""
    now = timezone.now()
    first = make.patient(shop, now=now)
    by = make.staff(shop, StaffRole.TECHNICIAN, now=now).actor()
    results = at_once(
        lambda: make.patient(shop, now=now, by=by),
        lambda: make.patient(shop, now=now, by=by),
        lambda: correct_identity(patient=first, changes={"given_name": "Ada Mary"}, by=by, now=now),
    )
    assert [type(result) for result in results] == [Patient] * 3
    pairs = {frozenset([question.patient_id, question.other_id]) for question in Namesake.objects.all()}
    assert len(pairs) == Namesake.objects.count() == 3
