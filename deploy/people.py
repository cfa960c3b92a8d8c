"""What a manager does about the accounts of this deployment: remove second factors, unlock after wrong passwords."""

from allauth.core import ratelimit
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from dispensary import policies
from dispensary.actions.people import record_sign_in_change
from dispensary.counter.access import at_counter
from dispensary.counter.visit import Visit
from dispensary.models import StaffMember


@require_POST
@at_counter(policies.may_change_settings)
@transaction.atomic
def reset_factors(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """Remove app, passkeys and recovery codes of somebody who lost them."""
    member = visit.fetch(StaffMember.objects.select_related("user", "pharmacy"), pk)
    record_sign_in_change(member=member, what="second factors removed", by=visit.by, now=visit.now)
    count, _ = Authenticator.objects.filter(user_id=member.user_id).delete()
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
    messages.success(request, f"{member.display_name} can sign in again.")
    return redirect("counter:person", member.pk)
