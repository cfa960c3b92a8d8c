"""Forms of the hand-over, the override page and the take-back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from dispensary.actions.overrides import EMERGENCY, Answer
from dispensary.conf import conf
from dispensary.counter.reasons import reasons_for
from dispensary.models import SignatureMethod
from dispensary.questions import Question
from dispensary.scanning import Pack

NOT_RECOGNISED = "That is not your password. After five wrong ones you are locked out for a while."


class StyledForm(forms.Form):
    """A form whose widgets have the style sheet's classes."""

    CLASSES = {
        forms.CheckboxInput: "nhsuk-checkboxes__input",
        forms.CheckboxSelectMultiple: "nhsuk-checkboxes__input",
        forms.Textarea: "nhsuk-textarea",
        forms.RadioSelect: "nhsuk-radios__input",
        forms.Select: "nhsuk-select",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.style_fields()

    def style_fields(self) -> None:
        """Give the widgets their classes; a form calls it again for fields that it adds."""
        for field in self.fields.values():
            style = next((c for widget, c in self.CLASSES.items() if isinstance(field.widget, widget)), "nhsuk-input")
            field.widget.attrs["class"] = f"{field.widget.attrs.get('class', '')} {style}".strip()


class PackForm(StyledForm):
    """Pack and quantity of one strength."""

    quantity = forms.DecimalField(
        label="Tablets to hand over",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "nhsuk-input--width-4", "autocomplete": "off"}),
        error_messages={
            "required": "Type how many tablets are handed over",
            "invalid": "Type the tablets as a number, such as 84",
        },
    )
    gtin = forms.CharField(
        widget=forms.HiddenInput, error_messages={"required": "Scan the pack in your hand"}, max_length=14
    )
    lot = forms.CharField(
        label="Lot", required=False, max_length=20, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    expiry = forms.DateField(
        label="Expiry",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Type the expiry as a date, such as 2027-11-30"},
    )
    serial = forms.CharField(required=False, max_length=20, widget=forms.HiddenInput)

    def clean_quantity(self) -> Decimal:
        quantity: Decimal = self.cleaned_data["quantity"]
        if not quantity.is_finite() or quantity <= 0 or quantity > conf().max_quantity or (quantity * 2) % 1:
            raise forms.ValidationError(f"Type whole or half tablets, above 0 and at most {conf().max_quantity}")
        return quantity

    def pack(self) -> Pack:
        """Return the pack in hand."""
        data = self.cleaned_data
        return Pack(data["gtin"], data["lot"], data["expiry"], data["serial"])


class DispenseForm(StyledForm):
    """Key and acknowledged findings of a hand-over."""

    key = forms.CharField(max_length=64, widget=forms.HiddenInput)
    acknowledged = forms.MultipleChoiceField(
        required=False,
        error_messages={"invalid_choice": "The findings have changed since you opened this page. Look at them again."},
    )

    def __init__(self, *args: Any, acknowledging: Iterable[Question] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast("forms.ChoiceField", self.fields["acknowledged"]).choices = [
            (q.fingerprint, q.summary) for q in acknowledging
        ]


def _own_words_field(longest: int, required: str) -> forms.CharField:
    """Return the field for a reason in a person's own words; `required` is the error where it is empty."""
    return forms.CharField(
        label="In your own words",
        max_length=longest,
        min_length=3,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": required, "min_length": "Say a little more"},
    )


def _asked_field() -> forms.CharField:
    """Return the field for the person who was asked."""
    return forms.CharField(
        label="Whom you asked, and where",
        required=False,
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class AnswerForm(StyledForm):
    """A pharmacist's answer to one finding."""

    mitigation = forms.ChoiceField(
        label="Reason", widget=forms.RadioSelect, error_messages={"required": "Choose a reason for “{summary}”"}
    )
    words = _own_words_field(2000, "Say in your own words why you supply in spite of “{summary}”")
    asked = _asked_field()
    asked_at = forms.DateTimeField(
        label="When",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        error_messages={"invalid": "Type day and time of the call, such as 2026-11-22 14:30"},
    )
    agreed = forms.CharField(
        label="What was agreed", required=False, max_length=500, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, *args: Any, question: Question, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.question = question
        cast("forms.ChoiceField", self.fields["mitigation"]).choices = reasons_for(question.code)
        for field in self.fields.values():
            field.error_messages = {
                k: v.replace("{summary}", question.summary) for k, v in field.error_messages.items()
            }

    @property
    def needs_a_name(self) -> bool:
        """Return whether the answer must name the person asked: the dose is above a limit, or no prescriber ordered it."""
        return self.question.is_dose_above_limit or self.question.code == EMERGENCY

    def clean_asked_at(self) -> Any:
        asked_at = self.cleaned_data["asked_at"]
        if asked_at is not None and asked_at > timezone.now():
            raise forms.ValidationError("The call cannot lie in the future")
        return asked_at

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.needs_a_name and not data.get("asked"):
            if self.question.code == EMERGENCY:
                self.add_error("asked", "Name whom you asked or tried to reach: no prescriber has ordered the tablets")
            elif data.get("mitigation") not in (None, "EMAUTH"):
                self.add_error("asked", "Name the person at the prescriber's whom you asked: the dose is above a limit")
        return data

    def answer(self, method: SignatureMethod = SignatureMethod.SIGNED_IN) -> Answer:
        """Return the answer, signed by what was typed on the page."""
        data = self.cleaned_data
        return Answer(
            finding=self.question.fingerprint,
            mitigation=data["mitigation"],
            words=data["words"],
            asked=data["asked"],
            asked_at=data["asked_at"],
            agreed=data["agreed"],
            signature=method,
            offered=tuple(code for code, _ in reasons_for(self.question.code)),
        )


class ChoiceReasonForm(StyledForm):
    """A pharmacist's reason for how an order stands to what is taken."""

    mitigation = forms.ChoiceField(
        label="Reason",
        choices=reasons_for("supply-relation"),
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a reason for how the order stands to what is taken"},
    )
    words = _own_words_field(500, "Say in your own words why it stands so to what is taken")
    asked = _asked_field()


class ReasonForm(StyledForm):
    """The reason for ending an order or withdrawing an answer."""

    reason = forms.CharField(
        label="Reason",
        max_length=250,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why"},
    )


class TakeBackForm(ReasonForm):
    """Cancel or return of a supply, with the reason."""

    field_order = ["how", "reason"]
    how = forms.ChoiceField(
        label="What happened",
        choices=[
            ("cancel", "It never left the counter: cancel, so that it can be dispensed again"),
            ("return", "The patient brought it back: destroy it, never put it on the shelf"),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose whether it never left the counter or came back"},
    )


def posted_data(request: HttpRequest) -> QueryDict | None:
    """Return the posted data to bind a form to; None for a GET."""
    return request.POST if request.method == "POST" else None


def answer_forms(
    questions: Sequence[Question], data: QueryDict | None = None, typed: QueryDict | None = None
) -> list[AnswerForm]:
    """Return one form for each question, with its fingerprint as prefix; `typed` is shown without being checked."""
    forms_ = []
    for question in questions:
        prefix = question.fingerprint[:12]
        forms_.append(AnswerForm(data, question=question, prefix=prefix, initial=typed_fields(typed, prefix)))
    return forms_


def typed_fields(typed: QueryDict | None, prefix: str) -> dict[str, str]:
    """Return what was typed in the fields of a prefix."""
    before = f"{prefix}-"
    pairs = typed.dict().items() if typed is not None else ()
    return {name.removeprefix(before): str(value) for name, value in pairs if name.startswith(before)}
