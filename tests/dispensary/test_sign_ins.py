"""Coming in and being turned away stand in the log."""

import pytest
from django.contrib.auth import authenticate, get_user_model, user_logged_in, user_logged_out
from django.contrib.sessions.backends.db import SessionStore
from django.test import RequestFactory

from dispensary import audit
from dispensary.audit import Subject
from dispensary.models import AuditEntry, StaffRole
from tests.dispensary import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_from_counter():
    request = RequestFactory().get("/", REMOTE_ADDR="10.1.2.3")
    request.session = SessionStore()
    return request


def test_a_sign_in_and_out_stands_in_the_log_of_each_of_the_persons_pharmacies(request_from_counter):
    member = make.staff(make.pharmacy())
    make.pharmacy("Elsewhere")
    user_logged_in.send(type(member.user), request=request_from_counter, user=member.user)
    user_logged_out.send(type(member.user), request=request_from_counter, user=member.user)
    history_lines = audit.history(Subject("account", f"user:{member.user_id}"), pharmacy=member.pharmacy)
    assert sorted(line.entry.action for line in history_lines) == ["auth.signed_in", "auth.signed_out"]
    assert {line.entry.station for line in history_lines} == {"10.1.2.3"}


@pytest.fixture
def earlier():
    """The entries that tests which commit have left in the log."""
    return list(AuditEntry.objects.values_list("entry_id", flat=True))


def test_a_refused_sign_in_stands_in_the_log_of_the_pharmacies_of_whom_the_name_belongs_to(
    request_from_counter, earlier
):
    member = make.staff(make.pharmacy(), StaffRole.MANAGER)
    elsewhere = make.pharmacy("Elsewhere")
    name = member.user.get_username()
    assert authenticate(request_from_counter, username=name.upper(), password="hunter2") is None
    (line,) = audit.history(Subject("account", f"user:{member.user_id}"), pharmacy=member.pharmacy)
    assert (line.entry.action, line.entry.outcome, line.body["name"]) == ("auth.refused", "refused", name.upper())
    refused = AuditEntry.objects.filter(action="auth.refused").exclude(entry_id__in=earlier)
    assert not refused.filter(pharmacy__in=[elsewhere.pk, audit.SITE]).exists()


@pytest.mark.parametrize("typed", ["nobody", "hunter2", "", "Tr0ub4dor&3"])
def test_of_any_other_name_only_a_digest_is_kept(request_from_counter, earlier, typed):
    make.staff(make.pharmacy(), StaffRole.MANAGER)
    for _ in range(2):
        assert authenticate(request_from_counter, username=typed, password="hunter2") is None
    history = audit.history(Subject("account", "unknown"), pharmacy=audit.SITE)
    lines = [line for line in history if line.entry.entry_id not in earlier]
    assert len({line.body["name_digest"] for line in lines}) == 1
    assert all(set(line.body) == {"by", "name_digest"} for line in lines)
    assert len(lines) == 2


def test_somebody_without_a_role_leaves_no_line(request_from_counter, earlier):
    user = get_user_model().objects.create_user("guest")
    user_logged_in.send(type(user), request=request_from_counter, user=user)
    assert not AuditEntry.objects.filter(action="auth.signed_in").exclude(entry_id__in=earlier).exists()
