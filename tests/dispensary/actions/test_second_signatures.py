"""The worst overrides are signed by two pharmacists, or by one alone for a few days."""

from datetime import timedelta
from decimal import Decimal

import pytest

from baclofen_rules import load_profile
from baclofen_rules.profiles.site import begin_profile
from dispensary import audit
from dispensary.actions import overrides, pharmacies
from dispensary.actions.overrides import Answer
from dispensary.actions.refusals import Refused
from dispensary.actions.second_signatures import (
    Signed,
    digest_waiting,
    find_waiting,
    sign_alone,
    sign_second,
)
from dispensary.actors import Actor
from dispensary.audit.checks import reconcile
from dispensary.errors import Conflict, DispensaryError, InvalidInput, NotAllowed, Stale
from dispensary.models import Dispense, Override, SecondSignature, SignatureMethod, StaffRole
from tests.dispensary import make
from tests.dispensary.actions.test_dispenses import ASKED, above_the_maximum, hand_over
from tests.dispensary.audit.linking import flush_links
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(minutes=15)


@pytest.fixture
def shop():
    make.products()
    return make.pharmacy()


@pytest.fixture
def first(shop):
    return make.staff(shop).actor()


@pytest.fixture
def colleague(shop):
    return make.staff(shop).actor()


@pytest.fixture
def order(shop, first, colleague):
    """An order above the maximum, at a pharmacy where two pharmacists sign, with the first signature."""
    setup = Actor.system("setup", shop.pk)
    pharmacies.change_settings(pharmacy=shop, changes={"second_signer": True}, by=setup, now=NOW)
    shop.refresh_from_db()
    order = above_the_maximum(shop)
    overrides.sign(prescription=order, answers=[ASKED], by=first, now=NOW)
    return order


def signed(order, method=SignatureMethod.PASSWORD):
    return Signed(method, digest_waiting(find_waiting(order)))


def sentences(row, shop):
    return [line.sentence for line in audit.history(row, pharmacy=shop)]


def test_an_override_of_the_worst_class_counts_when_a_second_pharmacist_has_signed(shop, first, colleague, order):
    refused = hand_over(order, first)
    assert isinstance(refused, Refused) and "daily-maximum" in [q.code for q in refused.unanswered]
    (row,) = sign_second(prescription=order, signed=signed(order), by=colleague, now=NOW)
    (sentence,) = sentences(row, shop)
    assert sentence.startswith(f"{colleague.display} signed as second pharmacist, after user:")
    dispense = hand_over(order, first, key="second")
    assert isinstance(dispense, Dispense), dispense
    used = Override.objects.get(code="daily-maximum")
    assert (used.signed_by, used.second.signed_by, used.second.is_alone) == (first.name, colleague.name, False)
    flush_links()
    rows = {str(row.pk) for row in (shop, order, order.patient, dispense, dispense.review, used, used.second)}
    assert [orphan for orphan in reconcile.reconcile() if orphan.id in rows] == []


def test_who_signed_first_is_never_the_second(order, first):
    with pytest.raises(NotAllowed, match="Another pharmacist"):
        sign_second(prescription=order, signed=signed(order), by=first, now=NOW)


def test_only_a_pharmacist_of_this_pharmacy_signs_second_with_a_fresh_proof(shop, order, colleague):
    technician = make.staff(shop, StaffRole.TECHNICIAN).actor()
    stranger = make.staff(make.pharmacy("Elsewhere")).actor()
    for by in (technician, stranger):
        with pytest.raises(NotAllowed):
            sign_second(prescription=order, signed=signed(order), by=by, now=NOW)
    for method in (SignatureMethod.SIGNED_IN, SignatureMethod.TOKEN):
        with pytest.raises(InvalidInput):
            sign_second(prescription=order, signed=signed(order, method), by=colleague, now=NOW)
    with pytest.raises(Stale):
        sign_second(
            prescription=order, signed=Signed(SignatureMethod.PASSWORD, digest_waiting([])), by=colleague, now=NOW
        )
    assert not SecondSignature.objects.exists()


def test_an_answer_that_comes_with_the_hand_over_has_no_second_signer(shop, first, order):
    (waiting,) = find_waiting(order)
    overrides.withdraw(override=waiting, reason="once more", by=first, now=NOW)
    refused = hand_over(order, first, overrides=[ASKED])
    assert isinstance(refused, Refused)
    assert [problem.field for problem in refused.problems] == ["daily-maximum"]
    assert "two pharmacists" in refused.problems[0].expected


def test_nobody_goes_on_alone_before_the_time_is_over_and_then_only_who_signed_first(order, first, colleague):
    with pytest.raises(Conflict, match="wait 1 min"):
        sign_alone(
            prescription=order, signed=signed(order), because="nobody came", by=first, now=LATER - timedelta(seconds=1)
        )
    with pytest.raises(NotAllowed):
        sign_alone(prescription=order, signed=signed(order), because="nobody came", by=colleague, now=LATER)
    with pytest.raises(DispensaryError):
        sign_alone(prescription=order, signed=signed(order), because=" ", by=first, now=LATER)


def test_alone_hands_over_three_days_and_is_listed_for_review(shop, order, first):
    (row,) = sign_alone(prescription=order, signed=signed(order), because="nobody came", by=first, now=LATER)
    assert "on one signature" in sentences(row, shop)[0]
    refused = hand_over(order, first, now=LATER)
    assert isinstance(refused, Refused)
    assert [problem.field for problem in refused.problems] == ["quantity"]
    few = hand_over(order, first, now=LATER, quantity=Decimal("31.5"), key="few")
    assert isinstance(few, Dispense), few
    assert few.days_supply == 3


def test_nobody_goes_on_alone_for_a_patient_who_does_not_take_it(shop, first, colleague):
    setup = Actor.system("setup", shop.pk)
    pharmacies.change_settings(pharmacy=shop, changes={"second_signer": True}, by=setup, now=NOW)
    shop.refresh_from_db()
    new = make.prescription(
        make.patient(shop), phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}], quantity=294,
        directions="35 mg three times a day for 28 days",
    )  # fmt: skip
    overrides.sign(prescription=new, answers=[ASKED], by=first, now=NOW)
    with pytest.raises(Conflict, match="does not take"):
        sign_alone(prescription=new, signed=signed(new), because="nobody came", by=first, now=LATER)


def test_two_signatures_are_asked_only_where_two_people_could_give_them():
    alone = make.pharmacy("Alone")
    make.staff(alone)
    make.staff(alone, StaffRole.TECHNICIAN)
    with pytest.raises(InvalidInput, match="no second person"):
        pharmacies.change_settings(
            pharmacy=alone, changes={"second_signer": True}, by=Actor.system("setup", alone.pk), now=NOW
        )


def test_a_milder_override_needs_one_signature(shop, first, order):
    milder = make.prescription(
        make.patient(shop), phases=[{"dose": 20, "unit": "mg", "times_per_day": 3, "days": 28}], quantity=168,
        directions="20 mg three times a day for 28 days",
    )  # fmt: skip
    answer = Answer("starting-dose", "5", "agreed", asked="Dr Mwangi", signature=SignatureMethod.PASSWORD)
    (done,) = overrides.sign(prescription=milder, answers=[answer], by=first, now=NOW)
    assert done.state == "open"


@pytest.mark.parametrize(("codes", "waiting"), [('["renal"]', []), ('["renal", "daily-maximum"]', ["daily-maximum"])])
def test_a_sites_profile_says_whose_overrides_two_pharmacists_sign(
    tmp_path, settings, shop, first, colleague, codes, waiting
):
    own = begin_profile("house", load_profile("lioresal")) + (
        f'\n\n[[terms.two_signatures]]\nvalue = {codes}\nunit = "rules"\nfrom = 2021-04-08\n'
        'mark = "D"\nsource = "design"\nwhere = "decided by the pharmacists of this site"\n'
    )
    (tmp_path / "house.toml").write_text(own, encoding="utf-8")
    settings.DISPENSARY = {**settings.DISPENSARY, "profile_folder": tmp_path}
    setup = Actor.system("setup", shop.pk)
    pharmacies.change_settings(pharmacy=shop, changes={"second_signer": True, "profile": "house"}, by=setup, now=NOW)
    shop.refresh_from_db()
    order = above_the_maximum(shop)
    overrides.sign(prescription=order, answers=[ASKED], by=first, now=NOW)
    assert [answer.code for answer in find_waiting(order)] == waiting


def test_one_person_has_no_second_access_with_which_to_sign_after_themselves(shop):
    setup = Actor.system("setup", shop.pk)
    user, twin = (make.staff(shop, StaffRole.TECHNICIAN) for _ in range(2))

    def grant(member, number):
        return pharmacies.grant_access(
            user=member.user, pharmacy=shop, role=StaffRole.PHARMACIST, display_name="Ada Grey", registration=number,
            by=setup, now=NOW,
        )  # fmt: skip

    first = grant(user, "GPhC 2071234")
    with pytest.raises(InvalidInput, match="Ada Grey has this registration number"):
        grant(twin, "gphc 2071234 ")
    assert grant(user, "GPhC 2071234").pk == first.pk, "their own stays theirs"
    assert grant(twin, "2070000").registration == "2070000"
    elsewhere = make.pharmacy("Elsewhere")
    pharmacies.grant_access(
        user=twin.user, pharmacy=elsewhere, role=StaffRole.PHARMACIST, display_name="Ada Grey",
        registration="GPhC 2071234", by=Actor.system("setup", elsewhere.pk), now=NOW,
    )  # fmt: skip
