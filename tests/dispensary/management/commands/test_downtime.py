"""`manage.py downtime` writes the form for a schedule."""

import stat
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from dispensary.counter.styles import build
from dispensary.models import AuditEntry, Pharmacy, StaffRole
from tests.dispensary import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("machine_clock")]


@pytest.fixture(scope="module", autouse=True)
def printed_fonts() -> None:
    build.build(with_test_tools=True, quiet=True)


@pytest.fixture
def shop() -> Pharmacy:
    return make.pharmacy(now=make.moment())


def test_the_file_is_written_anew_for_its_owner_alone(shop: Pharmacy, tmp_path: Path) -> None:
    file = tmp_path / "downtime.pdf"
    for _ in range(2):
        call_command("downtime", "--out", file)
    assert file.read_bytes().startswith(b"%PDF")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["downtime.pdf"]
    assert AuditEntry.objects.filter(action="downtime.printed", actor="system:downtime").count() == 2


def test_a_person_who_prints_it_stands_in_the_log(shop: Pharmacy, tmp_path: Path) -> None:
    member = make.staff(shop)
    call_command("downtime", "--out", tmp_path / "form.pdf", "--by", member.user.get_username(), "--paper", "letter")
    assert AuditEntry.objects.filter(action="downtime.printed", actor=f"user:{member.user_id}").count() == 1


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--days", "0"], "1 to 31 days"),
        (["--by", "nobody"], "nobody is no active technician or pharmacist or manager"),
        (["--pharmacy", "00000000-0000-0000-0000-000000000009"], "Say which pharmacy"),
    ],
    ids=["no day", "no person", "no pharmacy"],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(
    shop: Pharmacy, tmp_path: Path, words: list[str], answer: str
) -> None:
    with pytest.raises(CommandError, match=answer):
        call_command("downtime", "--out", tmp_path / "form.pdf", *words)
    assert list(tmp_path.iterdir()) == []


def test_an_auditor_may_not_print_it(shop: Pharmacy, tmp_path: Path) -> None:
    member = make.staff(shop, StaffRole.AUDITOR)
    with pytest.raises(CommandError, match="no active"):
        call_command("downtime", "--out", tmp_path / "form.pdf", "--by", member.user.get_username())


def test_a_folder_that_is_not_there_is_named(shop: Pharmacy, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written: No such file or directory"):
        call_command("downtime", "--out", tmp_path / "none" / "form.pdf")
