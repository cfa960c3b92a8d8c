"""Real reminder processes for the fault matrix, on a broker of its own that may be killed."""

import pytest

from dispensary.models import Reminder
from dispensary.models.reminders import NO_LEASE, ReminderState
from tests.dispensary import make
from tests.dispensary.faults.reminder_site import ReminderSite
from tests.dispensary.reminders.conftest import awake, due, outbox  # noqa: F401  (fixtures)
from tests.site import running_valkey


@pytest.fixture
def counter():
    """An order that is ready to be handed over, and who does it."""
    shop = make.pharmacy()
    make.products()
    return make.prescription(make.patient(shop)), make.staff(shop).actor()


@pytest.fixture(scope="module")
def running_reminder_site(site, tmp_path_factory):
    """Workers, ticks and beat for all the tests of a file: what one test kills, it starts again."""
    if site.database.split:  # a crash of the database must not lose what it has said it committed
        with site.database.connect() as superuser:
            superuser.execute(f"ALTER ROLE {site.database.roles.app.name} SET synchronous_commit = on")
    with running_valkey(tmp_path_factory.mktemp("broker")) as broker:
        reminder_site = ReminderSite(site, broker, tmp_path_factory.mktemp("site"))
        yield reminder_site
        reminder_site.stop_all()


@pytest.fixture
def reminder_site(running_reminder_site, transactional_db):
    running_reminder_site.reset()
    yield running_reminder_site
    Reminder.objects.update(
        state=ReminderState.WITHDRAWN, **NO_LEASE
    )  # nothing owed, so that nobody is at work while the tables are emptied
