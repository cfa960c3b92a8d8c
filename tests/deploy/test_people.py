"""A manager lets people in, changes and ends what they may do, and helps who cannot sign in; the log has each."""

import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.usersessions.models import UserSession
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from baclofen_rules import list_profiles
from dispensary import audit
from dispensary.actions import pharmacies
from dispensary.actors import Actor
from dispensary.models import AuditEntry, Pharmacy, SettingsChange, StaffMember, StaffRole
from dispensary.reminders import count_text_costs
from tests.deploy.test_accounts import code_of
from tests.dispensary import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("machine_clock")]

NEW = {"username": "paul", "display_name": "Paul Adeyemi", "registration": "2071234", "role": "pharmacist", "email": ""}
PASSWORD = {"password": "four quiet brown bottles", "again": "four quiet brown bottles"}
OPENED = {
    "name": "Harbour Pharmacy", "address": "3 Quay Street", "phone": "+442079460123", "email": "", "language": "en",
    "time_zone": "Europe/London", "profile": "lioresal", "od_means_once_daily": "", "refill_lead_days": "7",
    "second_call_days": "2", "message_at": "10:00", "quiet_from": "20:00", "quiet_until": "09:00",
    "opening_days": list("12345"), "holiday_region": "GB-ENG", "after_hours_phone": "111",
    "display_name": "Mara Okonkwo", "registration": "",
}  # fmt: skip


def sign_in(name: str, password: str = make.PASSWORD) -> Client:
    client = Client()
    assert client.post("/accounts/login/", {"login": name, "password": password}).status_code == 302
    return client


def changes(pharmacy: Pharmacy, user_id: Any) -> list[tuple[str, str]]:
    """Changes of an account in the log: actor and what was changed."""
    lines = audit.history(audit.Subject("account", f"user:{user_id}"), pharmacy=pharmacy)
    return [(line.entry.actor, (line.body or {})["what"]) for line in lines if line.entry.action == "account.changed"]


@pytest.fixture
def here() -> Pharmacy:
    return make.pharmacy(now=timezone.now())


@pytest.fixture
def manager(here: Pharmacy) -> StaffMember:
    return make.staff(here, StaffRole.MANAGER, now=timezone.now())


@pytest.fixture
def at_work(manager: StaffMember) -> Client:
    return sign_in(manager.user.get_username())


def test_a_link_works_once_and_a_forged_one_never(manager: StaffMember, at_work: Client) -> None:
    page = at_work.post(reverse("counter:people"), NEW).content.decode()
    paul = StaffMember.objects.get(display_name="Paul Adeyemi")
    (link,) = re.findall(r"(/join/[^<]+)<", page)
    assert Client().post("/accounts/login/", {"login": "paul", "password": ""}).status_code == 200
    visitor = Client()
    assert visitor.get(link[:-1] + ("0" if link[-1] != "0" else "1")).status_code == 410
    assert visitor.post(link, {"password": "password", "again": "password"}).status_code == 200  # refused, and said why
    assert visitor.post(link, PASSWORD).status_code == 302
    assert visitor.get(link).status_code == 410
    assert sign_in("paul", PASSWORD["password"]).get(reverse("counter:queue")).status_code == 200
    assert changes(paul.pharmacy, paul.user_id) == [(f"user:{paul.user_id}", "the password, by a link")]


def test_a_link_ends_when_its_person_works_elsewhere_too_or_no_longer(here: Pharmacy, at_work: Client) -> None:
    def new_link(member: StaffMember) -> str:
        page = at_work.post(reverse("counter:person", args=[member.pk]), {"do": "link"}).content.decode()
        (link,) = re.findall(r"(/join/[^<]+)<", page)
        return str(link)

    now = timezone.now()
    both, ended = make.staff(here, now=now), make.staff(here, now=now)
    links = [new_link(both), new_link(ended)]
    assert [Client().get(link).status_code for link in links] == [200, 200]
    elsewhere = make.pharmacy("Elsewhere")
    pharmacies.grant_access(
        user=both.user, pharmacy=elsewhere, role=StaffRole.PHARMACIST, display_name="Also there",
        by=Actor.system("setup", elsewhere.pk), now=now,
    )  # fmt: skip
    pharmacies.end_access(member=ended, by=Actor.system("setup", here.pk), now=now)
    assert [Client().get(link).status_code for link in links] == [410, 410]


def test_an_invitation_goes_by_e_mail_where_there_is_an_address(at_work: Client) -> None:
    at_work.post(reverse("counter:people"), NEW | {"email": "paul@example.org"})
    (letter,) = mail.outbox
    assert letter.to == ["paul@example.org"] and "/join/" in letter.body


def test_a_name_that_somebody_has_is_not_given_away(here: Pharmacy, at_work: Client) -> None:
    other = make.staff(make.pharmacy("Elsewhere"))
    refused = at_work.post(reverse("counter:people"), NEW | {"username": other.user.get_username().upper()})
    assert refused.status_code == 422 and here.staff.count() == 1


def test_a_role_is_changed_and_ended_but_never_the_last_managers(
    here: Pharmacy, manager: StaffMember, at_work: Client
) -> None:
    member = make.staff(here, now=timezone.now())
    page = reverse("counter:person", args=[member.pk])
    at_work.post(page, {"do": "role", "display_name": "Renamed", "registration": "", "role": "technician"})
    member.refresh_from_db()
    assert (member.display_name, member.role) == ("Renamed", "technician")
    at_work.post(page, {"do": "end"})
    member.refresh_from_db()
    assert not member.active
    own = reverse("counter:person", args=[manager.pk])
    assert at_work.post(own, {"do": "end"}).status_code == 422
    less = {"do": "role", "display_name": "Mara", "registration": "", "role": "technician"}
    assert at_work.post(own, less).status_code == 422
    manager.refresh_from_db()
    assert manager.active and manager.role == "manager"


def test_lost_factors_are_removed_and_a_lock_is_opened(here: Pharmacy, manager: StaffMember, at_work: Client) -> None:
    member = make.staff(here, now=timezone.now())
    name = member.user.get_username()
    TOTP.activate(member.user, generate_totp_secret())
    for _ in range(5):
        Client().post("/accounts/login/", {"login": name, "password": "guessed"})
    assert Client().post("/accounts/login/", {"login": name, "password": make.PASSWORD}).status_code != 302
    assert at_work.post(reverse("unlock-person", args=[member.pk])).status_code == 302
    assert at_work.post(reverse("reset-factors", args=[member.pk])).status_code == 302
    assert not Authenticator.objects.filter(user=member.user).exists()
    sign_in(name)
    done = {what for by, what in changes(here, member.user_id) if by == f"user:{manager.user_id}"}
    assert done == {"unlocked", "second factors removed"}


def test_who_works_elsewhere_too_is_not_taken_over_by_one_manager(here: Pharmacy, at_work: Client) -> None:
    member = make.staff(here, now=timezone.now())
    StaffMember.objects.create(
        user=member.user, pharmacy=make.pharmacy("Elsewhere"), role=StaffRole.PHARMACIST, display_name="Also there"
    )
    TOTP.activate(member.user, generate_totp_secret())
    assert at_work.post(reverse("counter:person", args=[member.pk]), {"do": "link"}).status_code == 422
    assert at_work.post(reverse("reset-factors", args=[member.pk])).status_code == 409
    assert Authenticator.objects.filter(user=member.user).exists()


@pytest.mark.parametrize("role", [StaffRole.TECHNICIAN, StaffRole.PHARMACIST, StaffRole.AUDITOR])
def test_only_a_manager_of_this_pharmacy_does_any_of_it(here: Pharmacy, manager: StaffMember, role: StaffRole) -> None:
    of_here = sign_in(make.staff(here, role).user.get_username())
    stranger = sign_in(make.staff(make.pharmacy("Elsewhere"), StaffRole.MANAGER).user.get_username())
    person = [reverse(name, args=[manager.pk]) for name in ("counter:person", "reset-factors", "unlock-person")]
    for address in (reverse("counter:people"), reverse("counter:settings"), *person):
        assert of_here.post(address, NEW).status_code == 403, address
    for address in person:
        assert stranger.post(address, {"do": "link"}).status_code == 404, address


def test_settings_change_once_and_an_older_copy_is_refused(here: Pharmacy, at_work: Client) -> None:
    fields = OPENED | {"version": "1", "refill_lead_days": "9"}
    fields |= {"second_signer": "no", "second_signer_minutes": "15", "separate_steps": "no", "shared_names": "initials"}
    fields |= {"usual_times": "evening", "label_layout": "uk"}
    assert at_work.post(reverse("counter:settings"), fields).status_code == 302
    here.refresh_from_db()
    assert here.refill_lead_days == 9 and here.od_means_once_daily is None
    assert at_work.post(reverse("counter:settings"), fields | {"refill_lead_days": "10"}).status_code == 422
    nobody_else = at_work.post(reverse("counter:settings"), fields | {"version": "2", "second_signer": "yes"})
    assert "There is no second person" in nobody_else.content.decode()
    wrong = fields | {"version": "2", "time_zone": "Europe/Nowhere"}
    assert "time zone" in at_work.post(reverse("counter:settings"), wrong).content.decode()


def test_settings_list_what_text_messages_cost_and_a_short_name_makes_them_shorter(
    here: Pharmacy, at_work: Client, settings: Any
) -> None:
    settings.DISPENSARY = {**settings.DISPENSARY, "public_url": "https://rx.market-street.example"}
    make.change_past_actions(Pharmacy.objects.filter(pk=here.pk), name="The Old Market Street Pharmacy")
    page = at_work.get(reverse("counter:settings")).content.decode()
    assert "kinds of text messages in English cost two or more. A short name helps" in page
    fields = OPENED | {
        "version": "1", "second_signer": "no", "second_signer_minutes": "15", "separate_steps": "no",
        "shared_names": "initials", "usual_times": "evening", "label_layout": "uk",
    }  # fmt: skip
    before = sum(row.segments["en"].count for row in count_text_costs(Pharmacy.objects.get(pk=here.pk)))
    assert at_work.post(reverse("counter:settings"), fields | {"text_name": "Market Rx"}).status_code == 302
    after = sum(row.segments["en"].count for row in count_text_costs(Pharmacy.objects.get(pk=here.pk)))
    assert after < before


def test_a_change_of_limits_waits_on_the_page_for_another_manager(here: Pharmacy, at_work: Client) -> None:
    other = make.staff(here, StaffRole.MANAGER, now=timezone.now() - timedelta(days=2))
    Pharmacy.objects.filter(pk=here.pk).update(opened_at=timezone.now() - timedelta(days=2))
    fields = OPENED | {
        "version": "1",
        "second_signer": "no",
        "second_signer_minutes": "15",
        "separate_steps": "no",
        "shared_names": "initials",
        "usual_times": "evening",
        "label_layout": "uk",
    }
    page = at_work.post(reverse("counter:settings"), fields | {"profile": "uk-smpc"}, follow=True).content.decode()
    assert "Not in force yet" in page and "uk-smpc" in page and "Agree: put it into force" not in page
    counter = sign_in(make.staff(here, StaffRole.TECHNICIAN).user.get_username())
    assert "uk-smpc</strong>" in counter.get(reverse("counter:limits")).content.decode(), "everybody sees what waits"
    change = reverse("counter:decide-change", args=[SettingsChange.objects.get().pk])
    assert at_work.post(change, {"do": "approve"}).status_code == 403
    stranger = sign_in(make.staff(make.pharmacy("Elsewhere"), StaffRole.MANAGER).user.get_username())
    assert stranger.post(change, {"do": "approve"}).status_code == 404
    milo = sign_in(other.user.get_username())
    assert "Agree: put it into force" in milo.get(reverse("counter:settings")).content.decode()
    assert milo.post(change, {"do": "approve"}).status_code == 302
    here.refresh_from_db()
    assert here.profile == "uk-smpc"


def test_nobody_opens_a_pharmacy_without_the_sites_permission(manager: StaffMember, at_work: Client) -> None:
    assert at_work.post(reverse("counter:open-pharmacy"), OPENED).status_code == 403
    assert Pharmacy.objects.count() == 1


def test_the_first_manager_opens_a_pharmacy_and_is_its_manager(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("first_manager", "mara")
    path = "/join/" + capsys.readouterr().out.strip().split("/join/")[1]
    assert Client().post(path, PASSWORD).status_code == 302
    client = sign_in("mara", PASSWORD["password"])
    assert client.get(reverse("counter:queue"))["Location"] == reverse("counter:open-pharmacy")
    page = client.get(reverse("counter:open-pharmacy")).content.decode()
    assert page.count("differ from lioresal</span>") == len(list_profiles()) - 1
    assert "under 8 years: 40 mg/day [F: British product text" in page, "a number of uk-smpc, with its source"
    refused = client.post(reverse("counter:open-pharmacy"), OPENED | {"address": "", "phone": " "})
    assert refused.status_code == 400 and not Pharmacy.objects.exists()
    assert "what labels and messages say" in refused.content.decode()
    assert client.post(reverse("counter:open-pharmacy"), OPENED)["Location"] == reverse("counter:people")
    member = StaffMember.objects.get()
    assert (member.role, member.display_name, member.pharmacy.name) == ("manager", "Mara Okonkwo", "Harbour Pharmacy")
    assert "access.changed" in set(AuditEntry.objects.values_list("action", flat=True))
    with pytest.raises(CommandError, match="works at a pharmacy already"):
        call_command("first_manager", "mara")


def test_a_manager_sees_who_is_signed_in_and_signs_somebody_out(here: Pharmacy, at_work: Client) -> None:
    member = make.staff(here, now=timezone.now())
    stranger = make.staff(make.pharmacy("Elsewhere"), now=timezone.now())
    their_browser, strangers = sign_in(member.user.get_username()), sign_in(stranger.user.get_username())
    for browser in (at_work, their_browser, strangers):
        browser.get("/")
    page = at_work.get(reverse("signed-in")).content.decode()
    assert member.display_name in page and "You, here" in page and stranger.display_name not in page
    theirs = UserSession.objects.get(user=member.user)
    assert at_work.post(reverse("sign-out-person", args=[theirs.pk])).status_code == 302
    assert their_browser.get(reverse("counter:queue"))["Location"].startswith("/accounts/login/")
    assert "signed out by a manager" in [what for _, what in changes(here, member.user_id)]
    elsewhere = UserSession.objects.get(user=stranger.user)
    assert at_work.post(reverse("sign-out-person", args=[elsewhere.pk])).status_code == 404
    assert strangers.get(reverse("counter:queue")).status_code == 200


@pytest.mark.parametrize("role", [StaffRole.TECHNICIAN, StaffRole.PHARMACIST, StaffRole.AUDITOR])
def test_only_a_manager_sees_who_is_signed_in(here: Pharmacy, role: StaffRole) -> None:
    assert sign_in(make.staff(here, role).user.get_username()).get(reverse("signed-in")).status_code == 403


@pytest.mark.parametrize(
    ("role", "is_needed"),
    [(StaffRole.TECHNICIAN, False), (StaffRole.PHARMACIST, True), (StaffRole.MANAGER, True), (StaffRole.AUDITOR, True)],
)
def test_who_signs_manages_or_audits_adds_a_second_factor_within_two_weeks(
    here: Pharmacy, role: StaffRole, is_needed: bool
) -> None:
    member = make.staff(here, role, now=timezone.now() - timedelta(days=13))
    client, queue = sign_in(member.user.get_username()), reverse("counter:queue")
    assert ("Add a second factor by" in client.get(queue, follow=True).content.decode()) is is_needed
    overdue = make.staff(here, role, now=timezone.now() - timedelta(days=14))
    client = sign_in(overdue.user.get_username())
    page = client.get(queue, follow=True)
    assert (page.status_code == 403) is is_needed
    assert ("Add a second factor to go on" in page.content.decode()) is is_needed
    TOTP.activate(overdue.user, generate_totp_secret())
    assert client.get(queue, follow=True).status_code == 200


def test_a_new_role_that_needs_no_factor_ends_the_wait_for_one(here: Pharmacy) -> None:
    member = make.staff(here, StaffRole.TECHNICIAN, now=timezone.now())
    assert member.factor_due_at is None
    arguments = {"user": member.user, "pharmacy": here, "display_name": "Tess", "by": Actor.system("setup", here.pk)}
    now = timezone.now()
    member = pharmacies.grant_access(role=StaffRole.PHARMACIST, now=now, **arguments)
    assert member.factor_due_at == now + timedelta(days=14)
    later = pharmacies.grant_access(role=StaffRole.MANAGER, now=now + timedelta(days=5), **arguments)
    assert later.factor_due_at == member.factor_due_at
    assert pharmacies.grant_access(role=StaffRole.TECHNICIAN, now=now, **arguments).factor_due_at is None


def test_an_idle_counter_is_locked_by_the_server_too(here: Pharmacy) -> None:
    client = sign_in(make.staff(here, StaffRole.TECHNICIAN).user.get_username())
    queue = reverse("counter:queue")
    assert client.get(queue).status_code == 200
    session = client.session
    session["dispensary_seen"] = (timezone.now() - timedelta(minutes=16)).isoformat()
    session.save()
    locked = client.get(queue)
    assert locked["Location"].startswith(reverse("counter:unlock"))
    assert client.post(locked["Location"], {"password": make.PASSWORD})["Location"] == queue
    assert client.get(queue).status_code == 200
    assert client.post(reverse("counter:stay")).status_code == 204
    assert Client().post(reverse("counter:stay"))["Location"].startswith("/accounts/login/")


OF_THE_ACCOUNT = ("/accounts/sessions/", "/accounts/2fa/", "/accounts/2fa/webauthn/add/", "/accounts/password/change/")


@pytest.mark.parametrize("idle", [False, True])
def test_a_locked_counter_opens_neither_the_api_nor_the_account(here: Pharmacy, idle: bool) -> None:
    make.patient(here, now=timezone.now())
    client = sign_in(make.staff(here, now=timezone.now()).user.get_username())
    assert client.get("/api/v1/patients/").json()["results"] and client.get("/accounts/sessions/").status_code == 200
    if idle:
        session = client.session
        session["dispensary_seen"] = (timezone.now() - timedelta(minutes=16)).isoformat()
        session.save()
    else:
        client.post(reverse("counter:lock"))
    for answer in (client.get("/api/v1/patients/"), client.post("/api/v1/patients/", {}, "application/json")):
        assert answer.status_code == 403 and "locked" in answer.json()["detail"]
    for page in (*OF_THE_ACCOUNT, reverse("counter:open-pharmacy")):
        for answer in (client.get(page), client.post(page)):
            assert answer["Location"].startswith(reverse("counter:unlock")), page
    client.post(reverse("counter:unlock"), {"password": make.PASSWORD})
    assert client.get("/api/v1/patients/").json()["results"] and client.get("/accounts/sessions/").status_code == 200


def test_a_locked_counter_is_left_by_its_accounts_own_sign_out(here: Pharmacy) -> None:
    client = sign_in(make.staff(here, now=timezone.now()).user.get_username())
    client.post(reverse("counter:lock"))
    assert client.post("/accounts/logout/")["Location"] == "/accounts/login/"
    assert "/accounts/login/" in client.get(reverse("counter:queue"))["Location"]


def test_who_owes_a_second_factor_does_nothing_by_the_api_either(here: Pharmacy) -> None:
    overdue = make.staff(here, now=timezone.now() - timedelta(days=14))
    client = sign_in(overdue.user.get_username())
    answer = client.get("/api/v1/patients/")
    assert answer.status_code == 403 and "second factor" in answer.json()["detail"]
    TOTP.activate(overdue.user, generate_totp_secret())
    assert client.get("/api/v1/patients/").status_code == 200


def test_no_page_of_the_account_is_kept_by_a_cache(here: Pharmacy) -> None:
    client = sign_in(make.staff(here, now=timezone.now()).user.get_username())
    for page in ("/accounts/login/", *OF_THE_ACCOUNT):
        assert "no-store" in client.get(page)["Cache-Control"], page


def test_what_somebody_changes_in_their_own_account_stands_in_the_log(
    here: Pharmacy, django_capture_on_commit_callbacks: Any
) -> None:
    member = make.staff(here, now=timezone.now())
    client = sign_in(member.user.get_username())
    new = "four quiet brown bottles"
    refused = client.post("/accounts/2fa/totp/activate/", {"code": "000000"})
    assert "/reauthenticate/" in refused["Location"], "an open counter is not enough"
    client.post("/accounts/reauthenticate/", {"password": make.PASSWORD})
    page = client.get("/accounts/2fa/totp/activate/")
    code = code_of(page.context["form"].secret)
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post("/accounts/2fa/totp/activate/", {"code": code}).status_code == 302
    client.post("/accounts/password/change/", {"oldpassword": make.PASSWORD, "password1": new, "password2": new})
    own = [what for by, what in changes(here, member.user_id) if by == f"user:{member.user_id}"]
    assert set(own) >= {"a second factor added: TOTP Authenticator", "the password"}


def test_who_was_invited_by_e_mail_adds_a_second_factor_and_an_open_counter_changes_no_address(at_work: Client) -> None:
    page = at_work.post(reverse("counter:people"), NEW | {"email": "paul@example.org"}).content.decode()
    (link,) = re.findall(r"(/join/[^<]+)<", page)
    Client().post(link, PASSWORD)
    client = sign_in("paul", PASSWORD["password"])
    refused = client.post("/accounts/email/", {"action_add": "", "email": "evil@example.org"})
    assert "/reauthenticate/" in refused["Location"], "an open counter is not enough"
    client.get("/accounts/email/")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD["password"]})
    page = client.get("/accounts/2fa/totp/activate/")
    assert (
        client.post("/accounts/2fa/totp/activate/", {"code": code_of(page.context["form"].secret)}).status_code == 302
    )
    assert Authenticator.objects.filter(user__username="paul", type="totp").exists()
