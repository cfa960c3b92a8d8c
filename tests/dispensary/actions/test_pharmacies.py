"""A pharmacy's settings, people and packs."""

from decimal import Decimal

import pytest

from dispensary import audit
from dispensary.actions import pharmacies
from dispensary.errors import InvalidInput, NotAllowed, Stale
from dispensary.models import Pharmacy, Product, StaffRole
from tests.dispensary import make
from tests.dispensary.make import NOW

LINES = {"address": "1 Mill Lane", "phone": "01865 496000"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(shop):
    return make.staff(shop, StaffRole.MANAGER).actor()


def test_opening_a_pharmacy_opens_its_log(shop):
    assert [line.entry.action for line in audit.history(shop, pharmacy=shop)] == ["pharmacy.opened"]


def test_a_new_pharmacy_gets_the_default_profile_of_its_site_unless_it_names_one(settings):
    settings.DISPENSARY = {**settings.DISPENSARY, "default_profile": "uk-smpc"}
    assert pharmacies.open_pharmacy(name="Mill Lane", settings=LINES, now=NOW).profile == "uk-smpc"
    named = pharmacies.open_pharmacy(name="Hill", settings={"profile": "us-label", **LINES}, now=NOW)
    assert named.profile == "us-label"


@pytest.mark.parametrize("lacking", ["address", "phone"])
def test_no_pharmacy_is_opened_or_set_without_the_lines_of_its_labels(shop, manager, lacking):
    with pytest.raises(InvalidInput) as refusal:
        pharmacies.open_pharmacy(name="Mill Lane", settings={**LINES, lacking: " "}, now=NOW)
    assert [problem.field for problem in refusal.value.problems] == [lacking]
    with pytest.raises(InvalidInput):
        pharmacies.change_settings(pharmacy=shop, changes={lacking: ""}, by=manager, now=NOW)
    make.change_past_actions(Pharmacy.objects.filter(pk=shop.pk), **{lacking: ""})
    with pytest.raises(InvalidInput):
        pharmacies.change_settings(pharmacy=shop, changes={"language": "fr"}, by=manager, now=NOW)
    both = {"language": "fr", lacking: LINES[lacking]}
    assert pharmacies.change_settings(pharmacy=shop, changes=both, by=manager, now=NOW).language == "fr"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("time_zone", "Mars/Olympus"),
        ("profile", "no-such"),
        ("language", "tlh"),
        ("second_call_days", 7),
        ("second_call_days", 0),
        ("refill_lead_days", 61),
        ("quiet_from", "soon"),
        ("colour", "blue"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(shop, manager, setting, value):
    with pytest.raises(InvalidInput):
        pharmacies.change_settings(pharmacy=shop, changes={setting: value}, by=manager, now=NOW)
    shop.refresh_from_db()
    assert shop.version == 1


def test_quiet_hours_that_leave_no_time_to_write_are_refused_with_a_sentence(shop, manager):
    with pytest.raises(InvalidInput) as refusal:
        pharmacies.change_settings(pharmacy=shop, changes={"quiet_from": "10:00"}, by=manager, now=NOW)
    [problem] = refusal.value.problems
    assert problem.field == "quiet_until" and "quiet_from 10:00" in problem.expected and "18" in problem.expected
    pharmacies.change_settings(pharmacy=shop, changes={"quiet_from": "15:00"}, by=manager, now=NOW)


def test_a_changed_setting_stands_in_the_log_with_both_values(shop, manager):
    pharmacies.change_settings(pharmacy=shop, changes={"refill_lead_days": 5}, version=1, by=manager, now=NOW)
    line = audit.history(shop, pharmacy=shop)[0]
    assert line.entry.action == "settings.changed"
    assert line.body["changed"] == {"refill_lead_days": {"from": 7, "to": 5}}


def test_a_change_of_profile_is_an_event_of_its_own(shop, manager):
    pharmacies.change_settings(pharmacy=shop, changes={"profile": "uk-smpc"}, by=manager, now=NOW)
    assert audit.history(shop, pharmacy=shop)[0].entry.action == "profile.changed"


def test_an_older_version_changes_nothing(shop, manager):
    pharmacies.change_settings(pharmacy=shop, changes={"refill_lead_days": 5}, version=1, by=manager, now=NOW)
    with pytest.raises(Stale):
        pharmacies.change_settings(pharmacy=shop, changes={"refill_lead_days": 6}, version=1, by=manager, now=NOW)


@pytest.mark.parametrize("role", [StaffRole.TECHNICIAN, StaffRole.PHARMACIST, StaffRole.AUDITOR])
def test_only_a_manager_changes_settings(shop, role):
    with pytest.raises(NotAllowed, match="a manager may"):
        pharmacies.change_settings(
            pharmacy=shop, changes={"refill_lead_days": 5}, by=make.staff(shop, role).actor(), now=NOW
        )


def test_access_that_ends_leaves_the_name(shop, manager):
    member = make.staff(shop)
    pharmacies.end_access(member=member, by=manager, now=NOW)
    member.refresh_from_db()
    assert not member.active
    line = audit.history(member, pharmacy=shop)[0]
    assert (line.body["from"]["active"], line.body["to"]["active"]) == (True, False)


@pytest.mark.parametrize(
    ("gtin", "right"), [("05012345678900", True), ("5012345678900", True), ("05012345678901", False), ("12ab", False)]
)
def test_a_gtin_is_known_by_its_check_digit(shop, manager, gtin, right):
    def add():
        return pharmacies.add_product(
            gtin=gtin, name="Baclofen 10 mg", brand="", strength_mg=Decimal(10), pack_size=84, by=manager, now=NOW
        )

    if right:
        assert add().gtin == "05012345678900"
    else:
        with pytest.raises(InvalidInput):
            add()
        assert not Product.objects.exists()
