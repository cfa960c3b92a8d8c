"""Preparing, checking and handing over as separate steps: two people, a shelf, and who collects."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary import audit
from dispensary.actions import order_states
from dispensary.audit import Event
from dispensary.handover import order_number
from dispensary.models import Dispense, Patient, Preparation, Prescription, StaffMember, StaffRole, Stage
from tests.dispensary import make
from tests.dispensary.counter.test_choices import order, page_of, pharmacist, press, words

__all__ = ["pharmacist"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def technician(pharmacist: StaffMember) -> StaffMember:
    make.change_past_actions(type(pharmacist.pharmacy).objects.filter(pk=pharmacist.pharmacy_id), separate_steps=True)
    return make.staff(pharmacist.pharmacy, StaffRole.TECHNICIAN)


@pytest.fixture
def bench(technician: StaffMember) -> Client:
    return sign_in(technician)


@pytest.fixture
def waiting(pharmacist: StaffMember) -> Prescription:
    """A clean new start of 15 mg a day."""
    return make.prescription(make.patient(pharmacist.pharmacy, now=timezone.now()), now=timezone.now())


def sign_in(member: StaffMember) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def bag_page(bag: Preparation) -> str:
    return reverse("counter:bag", args=[bag.pk])


def send(bag: Preparation, client: Client, data: dict[str, Any]) -> Any:
    """Press a button of the bag's page as it is now."""
    return client.post(bag_page(bag), {"state": client.get(bag_page(bag)).context["state"]} | data)


def text_of(response: Any) -> str:
    return str(response.content.decode()).replace("\u00a0", " ")


def prepare(bench: Client, prescription: Prescription) -> Preparation:
    assert words(page_of(bench, prescription)) == "Prepare 42 tablets"
    done = press(bench, prescription)
    assert done.status_code == 302, text_of(done)
    return Preparation.objects.get(prescription=prescription, stage=Stage.PREPARED)


def print_label(client: Client, bag: Preparation) -> None:
    assert client.post(reverse("counter:bag-labels", args=[bag.pk])).status_code == 200


def scan(client: Client, prescription: Prescription, code: str = make.TEN_MG) -> Any:
    """Scan a pack on the check page as it is now."""
    address = reverse("counter:check", args=[prescription.pk])
    return client.post(address, {"step": client.get(address).context["step"], "scan": code, "scan-it": "1"})


def check_bag(pharmacist: StaffMember, prescription: Prescription, **typed: str) -> Client:
    desk = sign_in(pharmacist)
    page = page_of(desk, prescription)
    assert words(page) == "Check 42 tablets"
    assert page["lines"][0].draft.gtin == make.TEN_MG
    print_label(desk, Preparation.objects.get(prescription=prescription, stage=Stage.PREPARED))
    scan(desk, prescription)
    done = press(desk, prescription, **typed)
    assert done.status_code == 302, text_of(done)
    return desk


def test_a_technician_prepares_a_pharmacist_checks_and_the_shelf_is_known(
    bench: Client, pharmacist: StaffMember, technician: StaffMember, waiting: Prescription
) -> None:
    bag = prepare(bench, waiting)
    assert "A pharmacist who did not prepare it checks it" in text_of(bench.get(bag_page(bag)))
    (row,) = bench.get(reverse("counter:queue")).context["rows"]
    assert row.words == "To check", "a bag that nobody has checked is not ready"
    assert words(page_of(bench, waiting)) == "Open the bag"
    assert not Dispense.objects.exists()
    desk = check_bag(pharmacist, waiting)
    bag.refresh_from_db()
    assert (bag.stage, bag.preparer_name, bag.checker_name) == (
        Stage.CHECKED, technician.display_name, pharmacist.display_name,
    )  # fmt: skip
    assert send(bag, desk, {"shelve": "1", "shelf": "A3"}).status_code == 302
    queue = text_of(bench.get(reverse("counter:queue")))
    assert "On shelf A3" in queue
    assert "On the shelf" in queue


def test_the_scan_of_its_label_or_of_its_pack_opens_a_checked_bag_from_the_queue(
    bench: Client, pharmacist: StaffMember, waiting: Prescription
) -> None:
    queue, label = reverse("counter:queue"), f"{order_number(waiting)}|1"
    pack = f"]d201{make.TEN_MG}1728113010LOT7\u241d21SN42"
    press(bench, waiting, serial="SN42")
    bag = Preparation.objects.get(prescription=waiting)
    assert bag.bag[0]["first"]["serial"] == "SN42"
    check = reverse("counter:check", args=[waiting.pk])
    assert bench.post(queue, {"q": label})["Location"] == check, "nobody has checked it"
    check_bag(pharmacist, waiting, serial="SN42")
    for code in (label, pack):
        assert bench.post(queue, {"q": code})["Location"] == bag_page(bag)
    for code in (f"01{make.TEN_MG}1728113010LOT7", pack.replace("SN42", "SN43")):
        assert bench.post(queue, {"q": code}).get("Location") != bag_page(bag)
    other = sign_in(make.staff(make.pharmacy("Elsewhere"), StaffRole.TECHNICIAN))
    assert other.post(queue, {"q": pack}).get("Location") is None


def test_it_is_handed_over_to_who_said_who_they_are_with_what_was_told(
    bench: Client, pharmacist: StaffMember, waiting: Prescription
) -> None:
    bag = prepare(bench, waiting)
    check_bag(pharmacist, waiting)
    nobody = send(bag, bench, {"collect": "1", "key": "k1"})
    assert nobody.status_code == 422
    assert "Ask who collects it" in text_of(nobody)
    other = {"collect": "1", "key": "k1", "who": "Somebody else", "told": ["how", "stopping"]}
    assert "Type the name of who collects it" in text_of(send(bag, bench, other))
    done = send(bag, bench, other | {"name": "Ann Okafor"})
    supply = Dispense.objects.get(prescription=waiting)
    assert done.url == reverse("counter:dispensed", args=[supply.pk])
    bag.refresh_from_db()
    assert (bag.stage, bag.dispense, supply.prepared_at) == (Stage.HANDED_OVER, supply, bag.prepared_at)


def test_who_prepared_it_does_not_check_it(
    pharmacist: StaffMember, technician: StaffMember, waiting: Prescription
) -> None:
    desk = sign_in(pharmacist)
    prepare(desk, waiting)
    assert words(page_of(desk, waiting)) == "Open the bag"
    assert press(desk, waiting).status_code == 403
    assert Preparation.objects.get().stage == Stage.PREPARED


def test_a_technician_checks_nothing(bench: Client, pharmacist: StaffMember, waiting: Prescription) -> None:
    prepare(sign_in(pharmacist), waiting)
    assert press(bench, waiting).status_code == 403


def test_an_old_page_for_preparing_records_no_check(
    bench: Client, pharmacist: StaffMember, technician: StaffMember, waiting: Prescription
) -> None:
    desk = sign_in(pharmacist)
    old = {"step": page_of(desk, waiting)["step"]}
    prepare(bench, waiting)
    answer = press(desk, waiting, **old)
    assert answer.status_code == 409
    assert f"This order is now prepared by {technician.display_name}. Nothing was recorded." in text_of(answer)
    assert words(answer.context) == "Check 42 tablets", "the page is renewed"
    assert Preparation.objects.get().stage == Stage.PREPARED
    scanned = desk.post(reverse("counter:check", args=[waiting.pk]), {"scan": make.TEN_MG, "scan-it": "1"} | old)
    assert "now prepared by" in text_of(scanned), "a scan does not hide that the step is another"


def test_an_old_page_for_preparing_ticks_nothing_of_the_check(
    bench: Client, pharmacist: StaffMember, waiting: Prescription
) -> None:
    desk = sign_in(pharmacist)
    old = {"step": page_of(desk, waiting)["step"]}
    prepare(bench, waiting)
    assert press(desk, waiting, acknowledged=["a" * 64], **old).context["draft"].acknowledged == []


def test_an_old_page_for_dispensing_prepares_nothing(pharmacist: StaffMember, waiting: Prescription) -> None:
    desk = sign_in(pharmacist)
    old = page_of(desk, waiting)["step"]
    make.change_past_actions(type(pharmacist.pharmacy).objects.filter(pk=pharmacist.pharmacy_id), separate_steps=True)
    answer = press(desk, waiting, step=old)
    assert (answer.status_code, words(answer.context)) == (409, "Prepare 42 tablets")
    assert not Preparation.objects.exists()


def test_a_page_made_for_another_bag_checks_none(bench: Client, pharmacist: StaffMember, waiting: Prescription) -> None:
    bag = prepare(bench, waiting)
    desk = sign_in(pharmacist)
    old = page_of(desk, waiting)["step"]
    send(bag, bench, {"put-back": "1", "reason": "wrong box"})
    prepare(bench, waiting)
    assert press(desk, waiting, step=old).status_code == 409
    assert not Preparation.objects.filter(stage=Stage.CHECKED).exists()


@pytest.mark.parametrize(
    "button",
    [
        {"shelve": "1", "shelf": "B1"},
        {"put-back": "1", "reason": "nobody came"},
        {"uncheck": "1"},
        {"collect": "1", "key": "k1", "who": "Said name and date of birth"},
    ],
    ids=["shelve", "put back", "have it checked again", "hand over"],
)
def test_an_old_page_of_a_bag_moves_nothing(
    bench: Client, pharmacist: StaffMember, waiting: Prescription, button: dict[str, str]
) -> None:
    bag = prepare(bench, waiting)
    desk = check_bag(pharmacist, waiting)
    old = {"state": desk.get(bag_page(bag)).context["state"]}
    send(bag, bench, {"shelve": "1", "shelf": "A3"})
    answer = desk.post(bag_page(bag), button | old)
    assert answer.status_code == 409
    assert "This bag is now on shelf A3. Nothing was recorded." in text_of(answer)
    bag.refresh_from_db()
    assert (bag.stage, bag.shelf) == (Stage.SHELVED, "A3")


def test_a_bag_that_was_checked_anew_is_another_than_that_of_an_old_page(
    bench: Client, pharmacist: StaffMember, waiting: Prescription
) -> None:
    bag = prepare(bench, waiting)
    desk = check_bag(pharmacist, waiting)
    old = {"state": desk.get(bag_page(bag)).context["state"]}
    send(bag, bench, {"uncheck": "1"})
    check_bag(pharmacist, waiting)
    assert desk.post(bag_page(bag), {"shelve": "1", "shelf": "A3"} | old).status_code == 409


def test_a_bag_is_checked_with_a_scan_of_its_pack(
    bench: Client, pharmacist: StaffMember, waiting: Prescription
) -> None:
    bag = prepare(bench, waiting)
    print_label(bench, bag)
    desk = sign_in(pharmacist)
    refused = press(desk, waiting)
    assert refused.status_code == 422
    assert "Scan the pack in the bag, to check it" in text_of(refused)
    for code in (make.TWENTY_FIVE_MG, f"]d201{make.TEN_MG}10OTHER", "rubbish"):
        assert scan(desk, waiting, code).status_code == 422, code
        assert press(desk, waiting).status_code == 422, code
    bag.refresh_from_db()
    assert bag.stage == Stage.PREPARED
    assert scan(desk, waiting, f"]d201{make.TEN_MG}10A1").status_code == 302
    assert "Scanned in the bag" in text_of(desk.get(reverse("counter:check", args=[waiting.pk])))
    assert press(desk, waiting).status_code == 302


def test_a_scan_of_one_bag_checks_no_other(bench: Client, pharmacist: StaffMember, waiting: Prescription) -> None:
    bag = prepare(bench, waiting)
    desk = sign_in(pharmacist)
    scan(desk, waiting)
    send(bag, bench, {"put-back": "1", "reason": "wrong box"})
    print_label(bench, prepare(bench, waiting))
    assert press(desk, waiting).status_code == 422


def test_a_bag_without_a_printed_label_is_checked_and_handed_over_only_with_a_reason(
    bench: Client, pharmacist: StaffMember, waiting: Prescription
) -> None:
    bag = prepare(bench, waiting)
    desk = sign_in(pharmacist)
    scan(desk, waiting)
    assert "No label is printed yet" in text_of(desk.get(reverse("counter:check", args=[waiting.pk])))
    refused = press(desk, waiting)
    assert refused.status_code == 409
    assert "Print the label, or say why there is none" in text_of(refused)
    assert press(desk, waiting, no_label="written by hand: the printer is broken").status_code == 302
    collect = {"collect": "1", "key": "k1", "who": "Said name and date of birth"}
    refused = send(bag, bench, collect)
    assert "Print the label, or say why there is none" in text_of(refused)
    assert not Dispense.objects.exists()
    assert send(bag, bench, collect | {"no_label": "written by hand"}).status_code == 302
    (line,) = audit.history(bag, pharmacy=bag.pharmacy_id, events=[Event.BAG_HANDED_OVER])
    assert line.body is not None and line.body["no_label"] == "written by hand"


def test_other_packs_than_those_of_the_bag_are_not_checked(
    bench: Client, pharmacist: StaffMember, waiting: Prescription
) -> None:
    prepare(bench, waiting)
    desk = sign_in(pharmacist)
    scan(desk, waiting)
    refused = press(desk, waiting, lot="Z9")
    assert refused.status_code == 409
    assert "These are not the packs of the bag" in text_of(refused)


def test_a_bag_that_nobody_checked_goes_to_no_shelf_and_to_no_patient(
    bench: Client, pharmacist: StaffMember, waiting: Prescription
) -> None:
    bag = prepare(bench, waiting)
    assert send(bag, bench, {"shelve": "1", "shelf": "A3"}).status_code == 422
    refused = send(bag, bench, {"collect": "1", "key": "k1", "who": "Said name and date of birth"})
    assert "nobody has checked" in text_of(refused)
    assert not Dispense.objects.exists()


def test_a_wrong_strength_is_not_prepared(bench: Client, waiting: Prescription) -> None:
    refused = press(bench, waiting, gtin=make.TWENTY_FIVE_MG)
    assert refused.status_code in (409, 422)
    assert not Preparation.objects.exists()


def test_packs_are_put_back_and_prepared_again(bench: Client, waiting: Prescription) -> None:
    bag = prepare(bench, waiting)
    assert send(bag, bench, {"put-back": "1", "reason": "wrong box"}).status_code == 302
    bag.refresh_from_db()
    assert (bag.stage, bag.ended_reason) == (Stage.RETURNED, "wrong box")
    prepare(bench, waiting)


def test_the_bag_of_an_order_that_was_put_on_hold_is_to_be_put_back(
    bench: Client, technician: StaffMember, waiting: Prescription
) -> None:
    bag = prepare(bench, waiting)
    order_states.hold(prescription=waiting, awaiting="prescriber", by=technician.actor(), now=timezone.now())
    assert "put the packs back" in text_of(bench.get(bag_page(bag)))


def test_its_label_is_printed_before_the_check(bench: Client, waiting: Prescription) -> None:
    bag = prepare(bench, waiting)
    label = bench.get(reverse("counter:bag-label", args=[bag.pk, 0]))
    assert label.content.startswith(b"%PDF")
    bag.refresh_from_db()
    assert bag.label_prints == 1


def test_the_next_order_is_none_whose_bag_only_waits_for_its_patient(
    bench: Client, pharmacist: StaffMember, waiting: Prescription
) -> None:
    prepare(bench, waiting)
    check_bag(pharmacist, waiting)
    assert bench.get(reverse("counter:next")).url == reverse("counter:queue")


def test_where_all_is_one_step_nothing_is_prepared(pharmacist: StaffMember, waiting: Prescription) -> None:
    desk = sign_in(pharmacist)
    assert words(page_of(desk, waiting)) == "Dispense 42 tablets"
    assert press(desk, waiting).url.startswith("/dispenses/")
    assert not Preparation.objects.exists()


def test_a_bag_keeps_its_steps_where_all_is_put_into_one_step_since(
    bench: Client, pharmacist: StaffMember, waiting: Prescription
) -> None:
    bag = prepare(bench, waiting)
    later = make.prescription(make.patient(pharmacist.pharmacy, now=timezone.now()), now=timezone.now())
    make.change_past_actions(type(pharmacist.pharmacy).objects.filter(pk=pharmacist.pharmacy_id), separate_steps=False)
    assert words(page_of(bench, waiting)) == "Open the bag", "nothing is handed over past the check"
    queue = text_of(bench.get(reverse("counter:queue")))
    assert "Bag to check, prepared by" in queue and "To check" in queue
    assert "to check" in text_of(bench.get(reverse("counter:day")))
    desk = check_bag(pharmacist, waiting)
    done = send(bag, desk, {"collect": "1", "key": "k1", "who": "Said name and date of birth"})
    assert done.status_code == 302, text_of(done)
    assert Dispense.objects.get(prescription=waiting).prepared_at == bag.prepared_at
    assert press(bench, later).url.startswith("/dispenses/"), "nothing new is prepared"


def test_a_bag_that_is_put_back_leaves_one_step(bench: Client, pharmacist: StaffMember, waiting: Prescription) -> None:
    bag = prepare(bench, waiting)
    make.change_past_actions(type(pharmacist.pharmacy).objects.filter(pk=pharmacist.pharmacy_id), separate_steps=False)
    assert send(bag, bench, {"put-back": "1", "reason": "one step now"}).status_code == 302
    assert press(bench, waiting).url.startswith("/dispenses/")


def test_a_change_of_dose_is_acknowledged_at_the_check(
    bench: Client, pharmacist: StaffMember, technician: StaffMember
) -> None:
    now = timezone.now() - timedelta(days=20)
    patient: Patient = make.patient(pharmacist.pharmacy, now=now)
    make.change_past_actions(type(pharmacist.pharmacy).objects.filter(pk=pharmacist.pharmacy_id), separate_steps=False)
    pharmacist.pharmacy.refresh_from_db()
    make.hand_over(order(patient, 10, 10, 10, now=now, repeats=1), pharmacist.actor(), now=now)
    make.change_past_actions(type(pharmacist.pharmacy).objects.filter(pk=pharmacist.pharmacy_id), separate_steps=True)
    increase = order(patient, 10, 10, 15)
    assert press(bench, increase).status_code == 302
    desk = sign_in(pharmacist)
    scan(desk, increase)
    print_label(desk, Preparation.objects.get(prescription=increase))
    assert words(page_of(desk, increase)) == "Replaces 30 mg a day: check 98 tablets"
    assert press(desk, increase).status_code == 302
    bag = Preparation.objects.get(prescription=increase)
    assert bag.stage == Stage.CHECKED
    done = send(bag, bench, {"collect": "1", "key": "k1", "who": "Said name and date of birth"})
    assert done.status_code == 302, text_of(done)
    assert Dispense.objects.get(prescription=increase).relation == "changes"


def test_another_order_says_that_a_bag_of_the_patient_waits(
    pharmacist: StaffMember, bench: Client, waiting: Prescription
) -> None:
    other = make.prescription(waiting.patient, now=timezone.now())
    assert page_of(bench, other)["other_bags"] == []
    bag = prepare(bench, waiting)
    page = page_of(bench, other)
    assert words(page) == "Beside a bag not collected: prepare 42 tablets" and page["other_bags"] == [bag]
    assert page_of(bench, waiting)["other_bags"] == []
    assert "of another prescription of this patient" in text_of(bench.get(reverse("counter:check", args=[other.pk])))


def test_a_pharmacist_answers_the_findings_of_an_order_that_is_still_to_be_prepared(
    bench: Client, pharmacist: StaffMember
) -> None:
    words_in_doubt = {"directions": "5 mg three times a day as per clinic letter"}
    patient = make.patient(pharmacist.pharmacy, now=timezone.now())
    unreadable = make.prescription(patient, now=timezone.now(), **words_in_doubt)
    desk, address = sign_in(pharmacist), reverse("counter:check", args=[unreadable.pk])
    assert 'name="override-it"' in text_of(desk.get(address))
    opened = desk.post(address, {"override-it": "1", "quantity": "42", "step": "prepare"})
    assert opened["Location"] == reverse("counter:override", args=[unreadable.pk])
    assert 'name="override-it"' not in text_of(bench.get(address)), "a technician signs none"
