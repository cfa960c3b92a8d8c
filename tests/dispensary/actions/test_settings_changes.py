"""Limits and who signs change when a second manager agrees, or after a day where there is one."""

from datetime import timedelta

import pytest

from dispensary import audit
from dispensary.actions import pharmacies, settings_changes, staff_alerts
from dispensary.errors import Conflict, InvalidInput, NotAllowed
from dispensary.models import SettingsChange, StaffAlert, StaffRole
from tests.dispensary import make
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db

PROFILE = {"profile": "uk-smpc"}


@pytest.fixture
def shop():
    return make.pharmacy(now=NOW - timedelta(days=2))


def manager_of(shop, since=NOW - timedelta(days=2)):
    return make.staff(shop, StaffRole.MANAGER, now=since)


@pytest.fixture
def mara(shop):
    return manager_of(shop).actor()


@pytest.fixture
def milo(shop):
    return manager_of(shop).actor()


def ask(shop, by, changes=PROFILE, now=NOW):
    return settings_changes.change_settings(pharmacy=shop, changes=changes, by=by, now=now)


def actions(shop):
    return [line.entry.action for line in audit.history(shop, pharmacy=shop)]


def test_one_manager_changes_the_limits_after_a_day_and_it_is_shown_meanwhile(shop, mara):
    waiting = ask(shop, mara, {**PROFILE, "refill_lead_days": 9})
    shop.refresh_from_db()
    assert (shop.profile, shop.refill_lead_days) == ("lioresal", 9)
    assert waiting.due_at == NOW + timedelta(hours=24)
    assert settings_changes.apply_due(now=NOW + timedelta(hours=23)) == 0
    assert settings_changes.apply_due(now=NOW + timedelta(hours=24)) == 1
    assert settings_changes.apply_due(now=NOW + timedelta(hours=25)) == 0
    shop.refresh_from_db()
    assert shop.profile == "uk-smpc"
    assert {"settings.asked", "profile.changed"} <= set(actions(shop))
    (line,) = [line for line in audit.history(shop, pharmacy=shop) if line.entry.action == "profile.changed"]
    assert (line.entry.actor, line.entry.second_actor) == ("system:settings", mara.name)


def test_of_two_managers_the_other_agrees_and_never_the_same(shop, mara, milo):
    waiting = ask(shop, mara)
    assert waiting.due_at is None
    assert settings_changes.apply_due(now=NOW + timedelta(days=9)) == 0
    with pytest.raises(NotAllowed, match="You asked"):
        settings_changes.approve(change=waiting, by=mara, now=NOW)
    assert settings_changes.approve(change=waiting, by=milo, now=NOW).profile == "uk-smpc"
    with pytest.raises(Conflict, match="decided already"):
        settings_changes.withdraw(change=waiting, by=mara, now=NOW)


def test_a_change_that_waits_is_an_alert_that_who_asked_for_it_cannot_answer(shop, mara, milo):
    waiting = ask(shop, mara)
    (alert,) = StaffAlert.objects.filter(pharmacy=shop)
    assert (alert.kind, alert.subject_id) == ("settings", str(waiting.pk))
    with pytest.raises(NotAllowed, match=r"You asked for this change\."):
        staff_alerts.answer(alert_id=alert.pk, words="Mine", by=mara, now=NOW)
    staff_alerts.open_found(now=NOW)
    alert.refresh_from_db()
    assert alert.answered_at is None
    settings_changes.approve(change=waiting, by=milo, now=NOW)
    staff_alerts.open_found(now=NOW)
    alert.refresh_from_db()
    assert (alert.words, alert.answered_by) == ("The change is decided.", "system:alerts")


@pytest.mark.parametrize("way", ["let in", "made a manager", "let in again"])
def test_nobody_makes_a_second_manager_who_agrees_at_once(shop, mara, way):
    if way == "let in":
        friend = manager_of(shop, NOW - timedelta(hours=1))
    else:
        role = StaffRole.PHARMACIST if way == "made a manager" else StaffRole.MANAGER
        friend = make.staff(shop, role, now=NOW - timedelta(days=2))
        if way == "let in again":
            pharmacies.end_access(member=friend, by=mara, now=NOW - timedelta(hours=2))
        change_access(friend, mara, NOW - timedelta(hours=1))
    for n in range(3):
        change_access(friend, mara, NOW, f"Renamed {n}")
    friend.refresh_from_db()
    waiting = ask(shop, mara)
    assert waiting.due_at == NOW + timedelta(hours=24), "there is one manager who counts"
    with pytest.raises(NotAllowed, match="within the last 24 hours"):
        settings_changes.approve(change=waiting, by=friend.actor(), now=NOW + timedelta(hours=22, minutes=59))
    settings_changes.approve(change=waiting, by=friend.actor(), now=NOW + timedelta(hours=23))
    shop.refresh_from_db()
    assert shop.profile == "uk-smpc"


def change_access(member, by, now, name="Friend"):
    return pharmacies.grant_access(
        user=member.user, pharmacy=member.pharmacy, role=StaffRole.MANAGER, display_name=name, by=by, now=now
    )


def test_a_change_that_is_taken_back_never_comes_into_force(shop, mara):
    settings_changes.withdraw(change=ask(shop, mara), by=mara, now=NOW)
    assert settings_changes.apply_due(now=NOW + timedelta(days=2)) == 0
    shop.refresh_from_db()
    assert shop.profile == "lioresal" and "settings.withdrawn" in actions(shop)


def test_one_change_waits_at_a_time_and_a_wrong_one_never(shop, mara):
    with pytest.raises(InvalidInput, match="no such profile"):
        ask(shop, mara, {"profile": "none"})
    with pytest.raises(InvalidInput, match="no second person"):
        ask(shop, mara, {"second_signer": True})
    ask(shop, mara)
    with pytest.raises(Conflict, match="waits already"):
        ask(shop, mara, {"separate_steps": True})


def test_a_first_run_and_what_decides_no_limits_are_exempt(shop, mara):
    assert ask(shop, mara, {"phone": "01865 496000"}) is None
    new = make.pharmacy("New", now=NOW - timedelta(hours=23))
    assert ask(new, make.staff(new, StaffRole.MANAGER).actor()) is None
    assert not SettingsChange.objects.exists()


@pytest.mark.parametrize("role", [StaffRole.TECHNICIAN, StaffRole.PHARMACIST, StaffRole.AUDITOR])
def test_only_managers_of_the_pharmacy_ask_and_decide(shop, mara, role):
    waiting = ask(shop, mara)
    stranger = make.staff(make.pharmacy("Elsewhere"), StaffRole.MANAGER).actor()
    for by in (make.staff(shop, role).actor(), stranger):
        with pytest.raises(NotAllowed):
            ask(shop, by, {"phone": "1"})
        for decide in (settings_changes.approve, settings_changes.withdraw):
            with pytest.raises(NotAllowed):
                decide(change=waiting, by=by, now=NOW)
