"""System checks of the reference deployment."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register


@register(Tags.security, deploy=True)
def check_provider(**_: Any) -> list[CheckMessage]:
    """Return W002 where the organisation's OpenID provider is asked over plain HTTP: whoever listens could sign in as anybody."""
    if not settings.OIDC_SERVER_URL or settings.OIDC_SERVER_URL.startswith("https://"):
        return []
    return [Warning("OIDC_SERVER_URL is not https.", hint="Name the provider by its https address.", id="deploy.W002")]


@register(Tags.security, deploy=True)
def check_proxies(**_: Any) -> list[CheckMessage]:
    """Return W001 where TLS ends in front of us and the proxy's address would stand for everybody's."""
    if not settings.HTTPS or settings.ALLAUTH_TRUSTED_PROXY_COUNT > 0:
        return []
    return [
        Warning(
            "TRUSTED_PROXIES is not set, while TLS ends in a proxy: every sign-in seems to come from the proxy's address.",
            hint="Set it to the number of proxies of yours that add to X-Forwarded-For, usually 1. Until then five wrong "
            "passwords lock a name from everywhere, and not only from the address at which they were typed.",
            id="deploy.W001",
        )
    ]
