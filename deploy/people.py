"""A manager's actions on the accounts of this deployment: second factors, wrong passwords, and who is signed in."""

from allauth.core import ratelimit
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from axes.models import AccessAttempt
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from deploy.models import Pin, SignOut
from dispensary import policies
from dispensary.actions.people import record_ended_session, record_sign_in_change
from dispensary.actions.signatures import forget_attempts
from dispensary.counter.access import at_counter
from dispensary.counter.pages import render_page
from dispensary.counter.visit import Visit
from dispensary.errors import NotFound
from dispensary.models import StaffMember


@require_POST
@at_counter(policies.may_change_settings)
@transaction.atomic
def reset_factors(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """Remove app, passkeys, recovery codes and PIN of somebody who lost them."""
    member = visit.fetch(StaffMember.objects.select_related("user", "pharmacy"), pk)
    record_sign_in_change(member=member, what="second factors removed", by=visit.by, now=visit.now)
    count, _ = Authenticator.objects.filter(user_id=member.user_id).delete()
    Pin.objects.filter(user_id=member.user_id).delete()
    messages.success(
        request, f"{member.display_name} signs in by password until they add a second factor ({count} removed)."
    )
    return redirect("counter:person", member.pk)


@require_POST
@at_counter(policies.may_change_settings)
@transaction.atomic
def unlock(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """Forget the wrong passwords and codes that lock somebody out."""
    member = visit.fetch(StaffMember.objects.select_related("user", "pharmacy"), pk)
    record_sign_in_change(member=member, what="unlocked", by=visit.by, now=visit.now)
    AccessAttempt.objects.filter(username__iexact=member.user.get_username()).delete()
    ratelimit.clear(request, action="login_failed", key=f"mfa-auth-user-{member.user_id}")
    forget_attempts(signer=member.actor().name)
    messages.success(request, f"{member.display_name} can sign in again.")
    return redirect("counter:person", member.pk)


@require_safe
@at_counter(policies.may_change_settings)
def signed_in(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List where people of this pharmacy are signed in, the latest sign of life on top."""
    members = {member.user_id: member for member in visit.pharmacy.staff.all()}
    sessions = UserSession.objects.filter(user_id__in=members).order_by("-last_seen_at")
    rows = [
        (members[row.user_id], row, row.session_key == request.session.session_key)
        for row in sessions[:500]
        if row.exists()
    ]
    return render_page(request, visit, "signed_in.html", {"rows": rows})


@require_POST
@at_counter(policies.may_change_settings)
@transaction.atomic
def sign_out(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """End one sign-in of somebody who works here, and what their PIN may do after the full sign-ins until now."""
    session = UserSession.objects.filter(pk=pk).first()
    members = visit.pharmacy.staff.select_related("user", "pharmacy")
    member = None if session is None else members.filter(user_id=session.user_id).first()
    if session is None or member is None:
        raise NotFound("Nobody of this pharmacy is signed in there.")
    record_ended_session(member=member, by=visit.by, now=visit.now)
    SignOut.objects.update_or_create(user_id=session.user_id, defaults={"at": visit.now})
    session.end()
    messages.success(request, f"{member.display_name} was signed out there.")
    return redirect("signed-in")
