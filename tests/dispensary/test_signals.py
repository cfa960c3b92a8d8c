"""Coming in and being turned away stand in the log."""

import pytest
from django.contrib.auth import authenticate, get_user_model, user_logged_in, user_logged_out
from django.test import RequestFactory

from dispensary import audit
from dispensary.audit import Subject
from dispensary.models import AuditEntry, StaffRole
from tests.dispensary import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_from_counter():
    return RequestFactory().get("/", REMOTE_ADDR="10.1.2.3")


def test_a_sign_in_and_out_stands_in_the_log_of_each_of_the_persons_pharmacies(request_from_counter):
    member = make.staff(make.pharmacy())
    make.pharmacy("Elsewhere")
    user_logged_in.send(type(member.user), request=request_from_counter, user=member.user)
    user_logged_out.send(type(member.user), request=request_from_counter, user=member.user)
    history_lines = audit.history(Subject("account", f"user:{member.user_id}"), pharmacy=member.pharmacy)
    assert sorted(line.entry.action for line in history_lines) == ["auth.signed_in", "auth.signed_out"]
    assert {line.entry.station for line in history_lines} == {"10.1.2.3"}


def test_a_refused_sign_in_keeps_the_name_that_was_tried_and_no_secret(request_from_counter):
    make.staff(make.pharmacy(), StaffRole.MANAGER)
    assert authenticate(request_from_counter, username="nobody", password="hunter2") is None
    (entry,) = AuditEntry.objects.filter(action="auth.refused")
    assert entry.outcome == "refused"


def test_somebody_without_a_role_leaves_no_line(request_from_counter):
    user = get_user_model().objects.create_user("guest")
    user_logged_in.send(type(user), request=request_from_counter, user=user)
    assert not AuditEntry.objects.filter(action="auth.signed_in").exists()
