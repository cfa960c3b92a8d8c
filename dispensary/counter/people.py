"""The manager's page of people: invite, change and end roles, and a new link for who forgot a password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from dispensary import policies
from dispensary.actions import people as actions
from dispensary.actions import pharmacies
from dispensary.counter.access import at_counter
from dispensary.counter.forms import StyledForm
from dispensary.counter.pages import error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError
from dispensary.joining import joining_address
from dispensary.models import SERVICE_ROLES, StaffMember, StaffRole


class RoleForm(StyledForm):
    """A person's role and name, as they stand on labels and signatures."""

    display_name = forms.CharField(
        label="Name, as printed", max_length=120, error_messages={"required": "Type the person\u2019s name"}
    )
    registration = forms.CharField(label="Registration number, if any", max_length=32, required=False)
    role = forms.ChoiceField(
        label="Role",
        choices=StaffRole.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a role"},
    )


class InviteForm(RoleForm):
    """Somebody new."""

    field_order = ["username", "display_name", "registration", "role", "email"]

    username = forms.CharField(
        label="Name to sign in with",
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
        error_messages={"required": "Type a name to sign in with"},
    )
    email = forms.EmailField(
        label="E-mail address, if the link shall be sent",
        required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_change_settings)
def people(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show everybody who works here, and invite somebody."""
    form = InviteForm(request.POST if request.method == "POST" else None)
    errors, link = form_error_lines(form), ""
    if form.is_valid():
        try:
            link = _invite(request, visit, form.cleaned_data)
            form = InviteForm()
        except DispensaryError as error:
            errors = error_lines(error, {name: f"id_{name}" for name in form.fields})
    context = {
        "form": form,
        "link": link,
        "members": visit.pharmacy.staff.select_related("user").order_by("-active", "display_name"),
    }
    return render_page(request, visit, "people.html", context, errors=errors, status=422 if errors else 200)


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_change_settings)
def person(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """Show one person; give another role, end the access, or make a new link."""
    member = visit.fetch(StaffMember.objects.select_related("user", "pharmacy"), pk)
    do = request.POST.get("do", "")
    initial = {name: getattr(member, name) for name in RoleForm.base_fields}
    form = RoleForm(request.POST if do == "role" else None, initial=initial)
    if member.is_service:
        form.fields["role"].choices = [(value, StaffRole(value).label) for value in SERVICE_ROLES]  # type: ignore[attr-defined]  # a choice field
    errors, link = form_error_lines(form), ""
    try:
        if do == "role" and form.is_valid():
            pharmacies.grant_access(
                user=member.user, pharmacy=visit.pharmacy, is_service=member.is_service, by=visit.by, now=visit.now,
                **_role_fields(form.cleaned_data),
            )  # fmt: skip
            messages.success(request, f"{form.cleaned_data['display_name']} is saved.")
            return redirect("counter:people")
        if do == "end":
            pharmacies.end_access(member=member, by=visit.by, now=visit.now)
            messages.success(request, f"{member.display_name} has no access any more.")
            return redirect("counter:people")
        if do == "link":
            actions.record_new_link(member=member, by=visit.by, now=visit.now)
            link = joining_address(member.user, request)
    except DispensaryError as error:
        errors = error_lines(error, {name: f"id_{name}" for name in form.fields})
    context = {"form": form, "link": link, "person": member, "is_self": member.user_id == visit.by.user_id}
    return render_page(request, visit, "person.html", context, errors=errors, status=422 if errors else 200)


def _role_fields(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in ("display_name", "registration")} | {"role": StaffRole(fields["role"])}


def _invite(request: HttpRequest, visit: Visit, fields: dict[str, Any]) -> str:
    """Open the account and return its link; send it where there is an address."""
    member = actions.invite(
        username=fields["username"], email=fields["email"], pharmacy=visit.pharmacy, by=visit.by, now=visit.now,
        **_role_fields(fields),
    )  # fmt: skip
    link = joining_address(member.user, request)
    if fields["email"]:
        _send(link, fields["email"], visit)
        messages.success(request, f"The link was sent to {fields['email']}.")
    return link


def _send(link: str, address: str, visit: Visit) -> None:
    """Send the link. A mail server that is away is no reason to lose the invitation: the page shows the link, too."""
    words = f"{visit.pharmacy.name} invites you to Dispensary. Choose a password within three days:\n\n{link}\n"
    send_mail(f"Your account at {visit.pharmacy.name}", words, None, [address], fail_silently=True)
