"""`manage.py pharmacy`: what a site does first, and every change answered for by somebody."""

from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from dispensary.models import Pharmacy, Product, SettingsChange, StaffMember, StaffRole
from tests.dispensary import make
from tests.site import Site

pytestmark = pytest.mark.django_db


def run(*words: object) -> str:
    out = StringIO()
    call_command("pharmacy", *map(str, words), stdout=out)
    return out.getvalue()


@pytest.fixture
def shop() -> Pharmacy:
    return make.pharmacy()


@pytest.fixture
def boss(shop: Pharmacy) -> str:
    return str(make.staff(shop, StaffRole.MANAGER).user.get_username())


def test_a_site_is_set_up_with_three_commands(db: None) -> None:
    opened = run(
        "open",
        "Mill Lane",
        "address=1 Mill Lane",
        "phone=01865 496000",
        "time_zone=Europe/London",
        "od_means_once_daily=yes",
    ).strip()
    shop = Pharmacy.objects.get(pk=opened)
    assert (shop.name, shop.time_zone, shop.od_means_once_daily) == ("Mill Lane", "Europe/London", True)
    get_user_model().objects.create_user("bea")
    assert "is manager at Mill Lane" in run("staff", "bea", "--role", "manager", "--name", "Bea Boss")
    added = run(
        "product", make.TEN_MG, "--name", "Lioresal 10 mg", "--strength-mg", 10, "--pack-size", 50, "--by", "bea"
    )
    assert make.TEN_MG in added
    assert Product.objects.get().pack_size == 50


def test_a_change_is_answered_for_by_a_manager_of_that_pharmacy(shop: Pharmacy, boss: str) -> None:
    at = ("--pharmacy", shop.pk)
    with pytest.raises(CommandError, match="--by"):
        run("set", "language=en", *at)
    technician = make.staff(shop, StaffRole.TECHNICIAN).user.get_username()
    stranger = make.staff(make.pharmacy("Elsewhere"), StaffRole.MANAGER).user.get_username()
    for nobody in (technician, stranger, "nobody"):
        with pytest.raises(CommandError, match="no active manager"):
            run("set", "quiet_from=21:00", *at, "--by", nobody)
    run("set", "quiet_from=21:00", *at, "--by", boss)
    shop.refresh_from_db()
    assert f"{shop.quiet_from:%H:%M}" == "21:00"


def test_a_switch_is_yes_or_no(shop: Pharmacy, boss: str) -> None:
    for words, value in (("yes", True), ("no", False)):
        run("set", f"od_means_once_daily={words}", "--by", boss)
        shop.refresh_from_db()
        assert shop.od_means_once_daily is value
    run("set", "separate_steps=yes", "--by", boss)
    assert SettingsChange.objects.get().changes == {"separate_steps": True}, "who signs changes after a day"
    with pytest.raises(CommandError, match="settings are not right"):
        run("set", "separate_steps=perhaps", "--by", boss)


@pytest.mark.parametrize(
    ("setting", "message"),
    [("quiet_from", "write name=value"), ("colour=blue", "no setting"), ("profile=no-such", "no such profile"),
     ("time_zone=Mars/Olympus", "settings are not right")],
)  # fmt: skip
def test_a_setting_that_is_none_changes_nothing(shop: Pharmacy, boss: str, setting: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run("set", setting, "--by", boss)
    assert Pharmacy.objects.get().version == shop.version


def test_access_ends_and_the_name_stays(shop: Pharmacy, boss: str) -> None:
    member = make.staff(shop, StaffRole.PHARMACIST)
    username = member.user.get_username()
    assert "no access" in run("end", username, "--by", boss)
    assert StaffMember.objects.get(pk=member.pk).active is False
    with pytest.raises(CommandError, match="has no access"):
        run("end", username, "--by", boss)


def test_with_several_pharmacies_one_is_named(shop: Pharmacy, boss: str) -> None:
    other = make.pharmacy("Hill Pharmacy")
    with pytest.raises(CommandError, match="Say which pharmacy"):
        run("set", "quiet_from=21:00", "--by", boss)
    assert str(other.pk) in run("list")


def test_somebody_without_an_account_cannot_be_let_in(shop: Pharmacy, boss: str) -> None:
    with pytest.raises(CommandError, match="no account"):
        run("staff", "ghost", "--role", "auditor", "--name", "G", "--by", boss)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_shell_opens_a_pharmacy_with_its_settings_and_changes_them(site: Site) -> None:
    opened = site.manage(
        "pharmacy",
        "open",
        "Mill Lane Pharmacy",
        "address=1 Mill Lane",
        "phone=01865 496000",
        "time_zone=Europe/London",
        "profile=uk-smpc",
    )
    assert opened.returncode == 0, opened.stderr
    shop = Pharmacy.objects.get(pk=opened.stdout.strip())
    assert (shop.name, shop.time_zone, shop.profile) == ("Mill Lane Pharmacy", "Europe/London", "uk-smpc")

    changed = site.manage("pharmacy", "set", "quiet_from=21:00")
    assert changed.returncode == 0, changed.stderr
    shop.refresh_from_db()
    assert f"{shop.quiet_from:%H:%M}" == "21:00"

    refused = site.manage(
        "pharmacy", "open", "Elsewhere", "address=1 Mill Lane", "phone=01865 496000", "time_zone=Mars/Olympus"
    )
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr and "time_zone" in refused.stderr
    assert Pharmacy.objects.count() == 1


def test_a_pharmacy_without_an_address_is_refused_and_the_words_say_what_to_add() -> None:
    with pytest.raises(CommandError) as refusal:
        run("open", "Mill Lane", "time_zone=Europe/London", "phone=01865 496000")
    assert "address" in str(refusal.value) and not Pharmacy.objects.filter(name="Mill Lane").exists()
