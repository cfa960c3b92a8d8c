"""A site's settings of CDS Hooks, looked at before a call needs them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any, Final
from urllib.parse import urlsplit

import jwt

from dispensary.api.cds_hooks.jwt import read_keys
from dispensary.conf import conf

_ORIGIN: Final = re.compile(r"https?://[^/?#]+")


def find_faults() -> Iterator[tuple[str, str]]:
    """Yield (setting, fault) for each value that cannot be used."""
    settings = conf()
    for issuer, client in settings.cds_clients.items():
        if fault := _find_fault_of_client(client):
            yield "cds_clients", f"[{issuer!r}] {fault}"
    for origin in settings.cds_origins:
        if not _ORIGIN.fullmatch(origin):
            yield "cds_origins", f"has {origin!r}; expected scheme and host such as https://ehr.example, without a path"
    for server in settings.cds_fhir_servers:
        parts = urlsplit(server)
        if (
            parts.scheme not in {"https", "http"}
            or not parts.hostname
            or parts.query
            or parts.fragment
            or parts.username
        ):
            yield "cds_fhir_servers", f"has {server!r}; expected a base address such as https://ehr.example/fhir"
    if not 1 <= settings.cds_fetch_milliseconds <= 5_000:
        yield "cds_fetch_milliseconds", f"is {settings.cds_fetch_milliseconds!r}; expected a number from 1 to 5000"
    for network in settings.cds_private_networks:
        try:
            ip_network(network)
        except ValueError:
            yield "cds_private_networks", f"has {network!r}; expected a network such as 10.20.0.0/16"


def _find_fault_of_client(client: Any) -> str:
    if not isinstance(client, Mapping) or not {"user", "keys"} <= client.keys():
        return "lacks `user`, the name of a service account, or `keys`, a JWKS or the path of one"
    try:
        keys = read_keys(client)
    except (OSError, ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
        return f"has keys that cannot be read: {type(error).__name__}"
    return "" if all(key.key_id for key in keys) else "has a key without `kid`, by which tokens name it"
