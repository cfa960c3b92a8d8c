"""Sign-in by an organisation's OpenID provider into accounts that a manager has made."""

from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.base import AuthProcess
from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.shortcuts import render


class LinkedAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth has no annotations
    """allauth's flow without sign-up: a person links their account once, signed in, or by the name that the organisation gives them."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Link the account whose name the organisation says, where the site trusts it with that; refuse an account that was closed."""
        if sociallogin.state.get("process") == AuthProcess.CONNECT:
            return
        if not sociallogin.is_existing and settings.OIDC_USERNAME_CLAIM:
            claims = sociallogin.account.get_provider_account().get_user_data() or {}
            name = claims.get(settings.OIDC_USERNAME_CLAIM)
            user = get_user_model().objects.filter(username=name, is_active=True).first() if name else None
            if user is not None and not SocialAccount.objects.filter(user=user).exists():
                sociallogin.connect(request, user)
        if not sociallogin.is_existing:
            raise ImmediateHttpResponse(render(request, "socialaccount/not_linked.html", status=403))
