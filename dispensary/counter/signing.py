"""The signature at the foot of a page: begun when the page is shown, proven by a passkey or a password, used once."""

from __future__ import annotations

from hashlib import sha256

from django import forms
from django.http import HttpRequest, JsonResponse, QueryDict

from dispensary.actions import signatures
from dispensary.counter.forms import StyledForm
from dispensary.counter.pages import ErrorLine, form_error_lines
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError, Stale
from dispensary.models import BegunSignature, StaffMember
from dispensary.models.review import Reviewed
from dispensary.proof import Factor, NotProven, Proof, person_proof, prove
from dispensary.questions import Question

BEGIN_PASSKEY = "passkey-begin"
"""Value of `how` in the request of a script that asks for the options of a passkey; the form itself is sent with `passkey`."""
NOT_YOURS = "That is not your password. After five wrong ones your signature is locked for a quarter of an hour."
CHANGED = "What you were asked to sign has changed, or was signed already. Look at it again, then sign."


def digest_shown(questions: tuple[Question, ...], *texts: str) -> str:
    """Return the SHA-256 of what a page shows: the case and what else is given as text, and the findings."""
    rows = [f"{q.code} {q.severity} {q.fingerprint} {q.summary} {q.detail}" for q in questions]
    return sha256("\n".join([*texts, *rows]).encode()).hexdigest()


class SignatureForm(StyledForm):
    """The signer's password and, where they have a second factor, a code, typed for this signature; or their passkey."""

    nonce = forms.UUIDField(required=False, widget=forms.HiddenInput)
    passkey = forms.CharField(required=False, max_length=20_000, widget=forms.HiddenInput)
    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "class": "nhsuk-input--width-20"}),
        error_messages={"required": "Type your password to sign"},
    )
    code = forms.CharField(
        label="Code of your app, or a recovery code",
        max_length=16,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "class": "nhsuk-input--width-10"}
        ),
        error_messages={"required": "Type the code that your app shows now"},
    )

    def __init__(
        self,
        data: QueryDict | None,
        request: HttpRequest,
        visit: Visit,
        subject: Reviewed | None,
        shown: str,
        *,
        signer: StaffMember | None = None,
    ) -> None:
        """`signer` is who signs; None for whoever is signed in."""
        super().__init__(data)
        member = signer or visit.member
        self._request, self._user, self._now = request, member.user, visit.now
        self._by = member.actor().at(visit.by.station, visit.by.request_id)
        self._subject, self._shown = subject, shown
        self.begun = signatures.begin(subject=subject, shown=shown, by=self._by, now=self._now)
        proofs = person_proof()
        self.has_passkey = proofs.passkey_options(self._user, signatures.seal(self.begun)) is not None
        self._how = "" if data is None else data.get("how", "")
        if Factor.CODE not in proofs.begin(self._user):
            del self.fields["code"]
        if self._how.startswith("passkey"):
            for field in self.fields.values():
                field.required = False

    def clean(self) -> None:
        """Refuse a passkey that said nothing."""
        if self._how == "passkey" and not self.cleaned_data.get("passkey"):
            raise forms.ValidationError("Your passkey did not answer. Try it again, or sign with your password.")

    def _open(self) -> BegunSignature:
        return signatures.find_begun(
            nonce=self.cleaned_data["nonce"],
            subject=self._subject,
            shown=self._shown,
            by=self._by,
            now=self._now,
        )

    def take_proof(self, errors: list[ErrorLine], *typed: str) -> Proof | list[ErrorLine] | JsonResponse:
        """Return the proof for the page and what was typed; without one the errors, or what a passkey is asked.

        `errors` are those of the page's forms, this one's included. The proof is tried only when there are none.
        """
        if errors:
            return self.refuse(errors)
        return self._ask_passkey(*typed) if self._how == BEGIN_PASSKEY else self._prove(*typed)

    def refuse(self, errors: list[ErrorLine]) -> list[ErrorLine] | JsonResponse:
        """Return the errors; to a script that begins with a passkey no options, so that the page is sent and shows them."""
        return JsonResponse({"options": None}, status=422) if self._how == BEGIN_PASSKEY else errors

    def _ask_passkey(self, *typed: str) -> JsonResponse:
        """Return the options of a passkey for what was typed; nothing is signed yet."""
        try:
            options = person_proof().passkey_options(self._user, signatures.seal(self._open(), *typed))
        except Stale:
            options = None
        return JsonResponse({"options": options}, status=422 if options is None else 200)

    def _prove(self, *typed: str) -> Proof | list[ErrorLine]:
        try:
            begun = self._open()
            digest = signatures.seal(begun, *typed)
            return prove(self._request, self._user, digest, self._evidence(), by=self._by, now=self._now)
        except Stale:
            return [ErrorLine(CHANGED)]
        except NotProven as error:
            fields = {problem.field.removeprefix("proof.") for problem in error.problems}
            if "passkey" in fields:
                return [ErrorLine(error.detail)]
            is_code = "code" in fields
            self.add_error("code" if is_code else "password", error.detail if is_code else NOT_YOURS)
        except DispensaryError as error:
            self.add_error("password", f"{error.detail} {error.problems[0].next}")
        return form_error_lines(self)

    def _evidence(self) -> dict[str, str]:
        return {name: self.cleaned_data.get(name) or "" for name in Factor}
