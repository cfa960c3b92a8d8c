"""Settings of the sign-in by an organisation's own OpenID provider; imports nothing of Django."""

from typing import Any
from urllib.parse import urlsplit

PROVIDER = "organisation"
"""The provider's name in addresses: `/accounts/oidc/organisation/login/callback/` is what it has to send people back to."""


def openid_providers(server_url: str, client_id: str, secret: str, name: str) -> dict[str, Any]:
    """Return allauth's setting of providers: none without an address."""
    if not server_url:
        return {}
    app = {
        "provider_id": PROVIDER,
        "name": name or "your organisation",
        "client_id": client_id,
        "secret": secret,
        "settings": {"server_url": server_url},
    }
    return {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}


def provider_origins(*addresses: str) -> list[str]:
    """Return the origins that a form of ours may lead to by a redirect: browsers hold the policy against those, too."""
    parts = [urlsplit(address) for address in addresses if address]
    return sorted({f"{part.scheme}://{part.netloc}" for part in parts})
