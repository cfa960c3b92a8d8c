"""The database in trouble while a dispense plans its reminders: the dispense fails whole, or succeeds whole, and says so."""

import threading
import time
from contextlib import contextmanager

import psycopg
import pytest
from django.db import DatabaseError, connection

from dispensary.actions.dispenses import Dispense
from dispensary.models import Reminder
from tests.dispensary.audit.test_faults_disk import small_disk
from tests.dispensary.faults.test_web import hand_over, left_behind, once_and_whole
from tests.site import working_folder

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
NOTHING = (0, 0, False, 0, 0)
ALL = (1, 1, True, 1, 1)


@contextmanager
def impatient(milliseconds):
    """Our connection's statements are ended by the server after so long."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = {milliseconds}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")


TABLE = "LOCK TABLE {} IN SHARE MODE"
ORDER = "SELECT 1 FROM dispensary_prescription WHERE id = '{}' FOR UPDATE"
PATIENT = "SELECT 1 FROM dispensary_patient p JOIN dispensary_prescription o ON o.patient_id = p.id WHERE o.id = '{}' FOR UPDATE OF p"


@pytest.mark.parametrize(
    "locked_row",
    [
        ORDER,
        PATIENT,
        *(TABLE.format(name) for name in ("dispensary_reminderplan", "dispensary_reminder", "audit.entry")),
    ],
    ids=["the order", "the patient", "the plans", "the reminders", "the log"],
)
def test_a_statement_that_ran_out_of_time_leaves_nothing_and_the_repeat_is_whole(counter, site, locked_row):
    order, _ = counter
    with site.database.connect(autocommit=False) as other:
        other.execute(locked_row.format(order.pk))
        with impatient(300), pytest.raises(DatabaseError, match="statement timeout"):
            hand_over(counter)
        other.rollback()
    assert left_behind(order) == NOTHING
    once_and_whole(counter)


@pytest.mark.parametrize("victim", ["the dispense", "the other"])
def test_a_deadlock_ends_one_of_the_two_and_leaves_no_half_of_a_dispense(counter, site, victim):
    """Somebody holds the order and then wants the patient, whom the dispense holds while it waits for the order."""
    order, _ = counter
    with site.database.connect(autocommit=False) as other:
        other.execute(f"SET deadlock_timeout = '{'30s' if victim == 'the dispense' else '10ms'}'")
        other.execute(ORDER.format(order.pk))
        done = []

        def dispensing():
            try:
                done.append(hand_over(counter))
            except DatabaseError as error:
                done.append(error)
            finally:
                connection.close()

        dispense = threading.Thread(target=dispensing)
        dispense.start()
        _wait_until_somebody_waits(site)
        other_ended = None
        try:
            other.execute(PATIENT.format(order.pk))
        except psycopg.errors.DeadlockDetected as error:
            other_ended = error
        other.rollback()
        dispense.join(30)
    assert bool(other_ended) is (victim == "the other")
    assert left_behind(order) == (ALL if isinstance(done[0], Dispense) else NOTHING), done
    once_and_whole(counter)


def _wait_until_somebody_waits(site):
    deadline = time.monotonic() + 30
    with site.database.connect() as window:
        while not window.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
            assert time.monotonic() < deadline, "nobody waits for the order"
            time.sleep(0.02)


@pytest.mark.parametrize("full", ["dispensary_reminder", "dispensary_dispense"])
def test_a_full_disk_leaves_nothing_and_the_repeat_on_a_larger_one_is_whole(counter, site, full):
    if site.database.server is None:
        pytest.skip("DATABASE_URL names a server whose disks are not ours")
    order, _ = counter
    with working_folder() as folder, small_disk(folder / "small", 40) as disk, site.database.connect() as superuser:
        superuser.execute(f"CREATE TABLESPACE small LOCATION '{disk.path}'")
        try:
            superuser.execute(f"ALTER TABLE {full} SET TABLESPACE small")
            superuser.execute(f"VACUUM FULL {full}")  # no free page of an earlier test: the next row needs the disk
            disk.resize(_used(disk.path) + 1)
            disk.fill()
            with pytest.raises(DatabaseError, match="No space left"):
                hand_over(counter)
            assert left_behind(order) == NOTHING
            disk.resize(60)
            once_and_whole(counter)
            assert Reminder.objects.exists()
        finally:
            disk.resize(80)
            connection.close()
            superuser.execute(f"ALTER TABLE {full} SET TABLESPACE pg_default")
            superuser.execute("CHECKPOINT")
            superuser.execute("DROP TABLESPACE small")


def _used(path):
    """Megabytes, rounded up."""
    return -(-sum(file.stat().st_blocks for file in path.rglob("*")) * 512 // (1 << 20))
