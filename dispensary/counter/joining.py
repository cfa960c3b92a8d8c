"""The page at which somebody chooses a password: for who has the link of an invitation, once."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.encoding import force_str
from django.utils.http import urlsafe_base64_decode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from dispensary.actions import people
from dispensary.clock import read_clock
from dispensary.counter.forms import StyledForm
from dispensary.counter.pages import form_error_lines, render_error, render_page
from dispensary.errors import DispensaryError
from dispensary.joining import TOKENS


class PasswordForm(StyledForm):
    """A password, typed twice."""

    password = forms.CharField(
        label="Password",
        strip=False,
        help_text="At least 12 characters; a few words that belong to nobody else are good.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "data-focus": ""}),
        error_messages={"required": "Type a password"},
    )
    again = forms.CharField(
        label="The same again",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        error_messages={"required": "Type the password again"},
    )

    def clean_again(self) -> str:
        again: str = self.cleaned_data["again"]
        if again != self.cleaned_data.get("password", again):
            raise forms.ValidationError("The two passwords differ")
        return again


@never_cache
@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, account: str, token: str) -> HttpResponse:
    """Let whoever has the link choose the password of the account: 410 for a link that was used, is old or forged."""
    user = _find_user(account)
    if user is None or not TOKENS.check_token(user, token):
        words = "It was used, or it is older than three days. Ask the manager for another one."
        return render_error(request, None, 410, "This link works no more", words)
    form = PasswordForm(request.POST if request.method == "POST" else None)
    errors = form_error_lines(form)
    if form.is_valid():
        try:
            people.choose_password(user=user, password=form.cleaned_data["password"], now=read_clock())
        except DispensaryError as error:
            form.add_error("password", error.detail)
            errors = form_error_lines(form)
        else:
            messages.success(request, "Your password is set. Sign in with it.")
            return redirect("counter:queue")
    return render_page(request, None, "join.html", {"form": form, "username": user.get_username()}, errors=errors)


def _find_user(account: str) -> User | None:
    try:
        key = force_str(urlsafe_base64_decode(account))
        user: User | None = get_user_model()._default_manager.filter(pk=key, is_active=True).first()
    except (ValueError, OverflowError):
        return None
    return user
