"""The settings of the app with their defaults: one line each, read from `settings.DISPENSARY`.

A value is read when it is asked for, never at import, so that a test or a site may change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class StopScope(StrEnum):
    """The messages that a STOP ends, by reply or at the provider."""

    ALL = "all"
    """Every reminder to this patient, on every medium: what the answer to their STOP tells them."""
    MEDIUM = "medium"
    """Text messages; e-mail goes on where the patient said yes to it."""


@dataclass(frozen=True, slots=True)
class Conf:
    """The settings and their defaults. Lengths in characters, times in seconds unless the name says otherwise."""

    default_profile: str = "lioresal"  # rule book profile of a pharmacy that names none
    profile_folder: Path | None = None  # a site's own profiles, searched before the ones that ship
    max_quantity: int = 10_000  # tablets in one prescription; more is a slip of the keyboard
    person_proof: str = "dispensary.proof.PasswordProof"  # how a signer proves to be there, see `proof.py`
    factor_grace_days: int = 14  # who signs, manages or audits adds a second factor within so many days of the role [D]
    idle_minutes: int = 15  # an idle counter locks after this; it says so two minutes before [D]
    api_authentication: tuple[str, ...] = (
        "dispensary.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    )  # who may sign in to the API, as classes of Django REST framework; its own settings are not asked
    token_requests_a_minute: int = 6_000  # of one API token [D]; more is a program gone wild, and a 429
    session_requests_a_minute: int = 3_000  # of one signed-in person, in each web process [D]; more is a 429, too
    cds_clients: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict
    )  # CDS Hooks: issuer: its user and key set
    cds_origins: tuple[str, ...] = ()  # web pages that may call the CDS service, as https://host
    cds_fhir_servers: tuple[
        str, ...
    ] = ()  # FHIR servers of CDS clients that may be asked for what a call lacks: base addresses
    cds_private_networks: tuple[str, ...] = ()  # private networks that such a server may be in, such as 10.20.0.0/16
    cds_fetch_milliseconds: int = 300  # for all that one call has us ask such a server; what comes later is not known
    keep_days: Mapping[str, int] = field(default_factory=dict)  # kind of working data: days, see `manage.py retention`
    address_secrets: tuple[str, ...] = ()  # seal patients' addresses, newest first; none: Django's SECRET_KEY
    digest_secret: str = ""  # keys the digests of addresses, and stays as it is; none: the oldest of address_secrets
    audit_origin: str = "dispensary.example"  # public name of this site's logs: no spaces, no "+"; never changed later
    audit_key_file: str | Path | None = None  # what signs the checkpoints; readable by the sealer's account alone
    audit_state_folder: str | Path | None = None  # what the sealer remembers, outside the database, beside the key
    audit_retention_vkeys: str | Path | None = None  # public keys of those who may authorise erasure and retirement
    audit_seal_standbys: int = 0  # sign only what this many standby servers have on their disks
    audit_anchor_max_age: int = 26 * 3600  # a checkpoint must have left the site within this time
    audit_witness_url: str = ""  # who is asked to cosign checkpoints: a submission prefix of c2sp.org/tlog-witness
    audit_witness_vkeys: str | Path | None = None  # that witness's public keys, one a line
    audit_tiles_folder: str | Path | None = None  # where the sealer's process writes each log as static files
    channels: Mapping[str, str] = field(default_factory=lambda: {"email": "email"})  # medium: file in channels/
    channel_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # channel: its options
    reminder_lease: int = 120  # a worker's claim on a batch; longer than a task's hard time limit of 90
    reminder_batch: int = 50  # reminders claimed at once
    reminder_drain: int = 45  # a drain stops claiming after this; shorter than a task's soft time limit of 60
    reminder_lanes: int = 2  # hints to send that one tick publishes at most
    reminder_attempts: int = 8  # temporary failures before a reminder becomes work for a person
    reminders_a_day: int = 1  # to one patient; what matters for safety is not held back
    reminders_a_week: int = 3  # likewise
    phone_region: str = "GB"  # where a telephone number without a country code is from
    stop_scope: str = StopScope.ALL  # or "medium": e-mail goes on after a STOP to a text message
    staff_alerts: tuple[
        str, ...
    ] = ()  # apprise addresses: told at once of a message that cannot wait, once a day of old work
    complaint_words: tuple[str, ...] = (  # in an answer's words: its signer says that the finding is not right
        "already stopped", "does not apply", "error", "incorrect", "not applicable", "not true", "wrong",
    )  # fmt: skip
    letter_channel: str = ""  # the channel that prints and posts letters; empty: staff print and post them
    receipt_hours: Mapping[str, int] = field(
        default_factory=dict
    )  # channel: hours after which a message that matters for safety goes to the next address without a receipt
    consent_age: int = 16  # years from which a patient answers about messages alone, and guardians get none
    patient_page_days: int = 30  # an e-mail's link to the patient's page works so long after what it is about
    patient_resolver: str = ""  # a function that tells what the site's own record has of a person: see EXTENDING.md
    document_folder: Path | None = None  # a site's own label.typ and other papers, in place of those that ship
    public_url: str = ""  # where patients and staff reach the site, without a final slash
    replica: str = (
        ""  # alias of a copy of the database that follows it, for reports and exports; none: the database itself
    )
    replica_seconds: int = (
        60  # a report is read from the copy while it is no further behind [D]; an export, when it has everything
    )
    text_url: str = ""  # a shorter address of the same site for links in text messages; empty: public_url

    @property
    def free_text_channels(self) -> Mapping[str, str]:
        """The channels that take any words at any time to an address that is typed: no approved templates, no browsers."""
        return {medium: name for medium, name in self.channels.items() if medium not in _NOT_FREE}

    @property
    def link_url(self) -> str:
        """The address of the site in text messages."""
        return self.text_url or self.public_url


_NOT_FREE = frozenset({"whatsapp", "push"})
_NAMES = frozenset(field.name for field in fields(Conf))


_latest: tuple[dict[str, Any], Conf] | None = None
"""What the site set when the settings were last asked for, and the settings made of it."""


def conf() -> Conf:
    """Return the settings in force. Raises `ImproperlyConfigured` on a name that does not exist."""
    global _latest  # noqa: PLW0603  (each request asks several times, and the site's dict may be another one in a test)
    overrides = dict(getattr(settings, "DISPENSARY", {}))
    if _latest is None or _latest[0] != overrides:
        _latest = overrides, _build(overrides)
    return _latest[1]


def _build(overrides: dict[str, Any]) -> Conf:
    unknown = sorted(overrides.keys() - _NAMES)
    if unknown:
        raise ImproperlyConfigured(f"DISPENSARY has no setting {unknown[0]!r}; there are: {', '.join(sorted(_NAMES))}")
    made = Conf(**overrides)
    if not 12 <= made.consent_age <= 21:
        raise ImproperlyConfigured(f"DISPENSARY['consent_age'] is {made.consent_age}; expected 12 to 21 years")
    if isinstance(made.complaint_words, str) or not all(any(map(str.isalpha, words)) for words in made.complaint_words):
        raise ImproperlyConfigured(
            f"DISPENSARY['complaint_words'] is {made.complaint_words!r}; expected words, such as ('wrong', 'does not apply')"
        )
    if made.text_url and not made.text_url.startswith(("https://", "http://")):
        raise ImproperlyConfigured(
            f"DISPENSARY['text_url'] is {made.text_url!r}; expected an address such as https://rx.example, without a final slash"
        )
    if made.stop_scope not in set(StopScope):
        raise ImproperlyConfigured(f"DISPENSARY['stop_scope'] is {made.stop_scope!r}; expected 'all' or 'medium'")
    return made
