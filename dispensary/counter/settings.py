"""The pharmacy in the browser: opened by its first manager, changed by a manager."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.forms.models import fields_for_model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_http_methods, require_POST

from baclofen_rules import list_profiles
from baclofen_rules.profiles.compare import Difference
from dispensary import policies, reminders
from dispensary.actions import channel_trials, people, settings_changes
from dispensary.channels import Fault
from dispensary.clock import read_clock, refuse_skew
from dispensary.conf import conf
from dispensary.counter.access import at_counter
from dispensary.counter.forms import StyledForm
from dispensary.counter.log_lines import place_title
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError
from dispensary.idle_lock import lock_when_idle
from dispensary.models import Language, Medium, Pharmacy, SettingsChange
from dispensary.profiles import profile_differences

LABELS = {
    "name": "Name of the pharmacy",
    "text_name": "Short name in text messages, at most 20 letters; empty: the whole name",
    "address": "Address, as printed on labels",
    "phone": "Telephone",
    "email": "E-mail address",
    "time_zone": "Time zone, such as Europe/London",
    "language": "Language of messages to patients",
    "profile": "Profile of limits",
    "od_means_once_daily": "What \u201cod\u201d means in directions",
    "refill_lead_days": "First message, days before the tablets end",
    "second_call_days": "Second message, days before the tablets end",
    "message_at": "Messages leave at",
    "quiet_from": "No message from",
    "quiet_until": "until",
    "opening_days": "Open on",
    "holiday_region": "Closed on the public holidays of, such as GB-ENG or US-IL",
    "after_hours_phone": "Whom patients call while you are closed, such as 111",
    "second_signer": "Two pharmacists sign the worst overrides",
    "second_signer_minutes": "Minutes without an answer after which one signs alone",
    "separate_steps": "Preparing, checking and handing over",
    "shared_names": "Messages to a phone of several patients say for whom by",
    "usual_times": "Times of day, where a prescription says none",
    "label_layout": "Labels",
}
CHOICES = {
    "od_means_once_daily": [
        ("", "Not known here: ask the prescriber"),
        ("yes", "Once a day"),
        ("no", "Something else: ask"),
    ],
    "second_signer": [
        ("no", "No: one signature"),
        ("yes", "Yes: for the findings that the page Limits names"),
    ],
    "separate_steps": [
        ("no", "In one step, by one person; a bag that is in the pharmacy by then keeps its steps"),
        ("yes", "In three steps: another person, a pharmacist, checks what was prepared"),
    ],
}
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
TRIAL_WORDS = {
    "unknown": "no answer came; it may arrive all the same",
    Fault.UNREACHABLE: "the provider cannot be reached",
    Fault.BUSY: "the provider is busy; try again later",
    Fault.LIMITED: "the provider takes no more for now",
    Fault.BAD_ADDRESS: "the provider does not know this address",
    Fault.OPTED_OUT: "this number has opted out at the provider",
    Fault.REJECTED: "the provider refuses the message",
    Fault.MISCONFIGURED: "the site\u2019s settings for the provider are not right",
}
_SWITCH = {"yes": True, "no": False, "": None}


class PharmacyForm(StyledForm):
    """The settings of a pharmacy. The action checks the values."""

    def __init__(self, data: Any = None, *, pharmacy: Pharmacy) -> None:
        super().__init__(data)
        fields = fields_for_model(Pharmacy, fields=tuple(LABELS))
        for name, label in LABELS.items():
            field = fields[name]
            value = getattr(pharmacy, name)
            if name in CHOICES:
                value = {True: "yes", False: "no", None: ""}[value]
                field = forms.ChoiceField(choices=CHOICES[name], required=False)
            elif name == "opening_days":
                value = list(value)
                field = forms.MultipleChoiceField(
                    choices=[(str(n), day) for n, day in enumerate(_WEEKDAYS, 1)],
                    widget=forms.CheckboxSelectMultiple,
                    error_messages={"required": "Tick at least one day"},
                )
            elif name == "profile":
                field = forms.ChoiceField(choices=[(p, p) for p in list_profiles(folder=conf().profile_folder)])
            elif isinstance(field, forms.TimeField):
                field.widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
            field.label, field.initial, field.help_text = label, value, ""
            self.fields[name] = field
        self.style_fields()

    def changes(self) -> dict[str, Any]:
        """Return the settings as the action takes them."""
        settings: dict[str, Any] = {
            name: _SWITCH[value] if name in CHOICES else value
            for name, value in self.cleaned_data.items()
            if name in LABELS
        }
        return settings | {"opening_days": "".join(settings["opening_days"])}


class TrialForm(StyledForm):
    """The way of a test message, and an address of the manager's own."""

    medium = forms.ChoiceField(label="Send it by", error_messages={"required": "Choose a way"})
    address = forms.CharField(
        label="To your own address or number", max_length=254, error_messages={"required": "Type an address"}
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, prefix="trial")
        labels = dict(Medium.choices)
        self.fields["medium"].choices = [(name, labels.get(name, name)) for name in conf().free_text_channels]  # type: ignore[attr-defined]  # a choice field


class OpeningForm(PharmacyForm):
    """A new pharmacy, and the name of its first manager."""

    def __init__(self, data: Any = None, *, pharmacy: Pharmacy) -> None:
        super().__init__(data, pharmacy=pharmacy)
        for name in (
            "second_signer", "second_signer_minutes", "separate_steps", "shared_names", "usual_times", "label_layout",
        ):  # fmt: skip
            del self.fields[name]
        attributes = {"class": "nhsuk-input"}
        self.fields["display_name"] = forms.CharField(
            label="Your name, as printed", max_length=120, widget=forms.TextInput(attrs=attributes),
            error_messages={"required": "Type your name"},
        )  # fmt: skip
        self.fields["registration"] = forms.CharField(
            label="Your registration number, if any",
            max_length=32,
            required=False,
            widget=forms.TextInput(attrs=attributes),
        )


@require_http_methods(["GET", "POST"])
def open_pharmacy(request: HttpRequest) -> HttpResponse:
    """Open a pharmacy: for who has the site's permission, see `manage.py first_manager`."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    user = request.user
    now = read_clock()
    if lock_when_idle(request, now):
        return redirect("counter:unlock")
    form = OpeningForm(
        request.POST if request.method == "POST" else None, pharmacy=Pharmacy(profile=conf().default_profile)
    )
    errors = form_error_lines(form)
    status = 422 if errors else 200
    try:
        policies.require_permission(
            user.has_perm(f"dispensary.{people.MAY_OPEN}"), user.get_username(), "open a pharmacy"
        )
        if form.is_valid():
            refuse_skew(now)
            settings = form.changes()
            pharmacy = people.open_pharmacy(
                user=user,
                name=settings.pop("name"),
                settings=settings,
                display_name=form.cleaned_data["display_name"],
                registration=form.cleaned_data["registration"],
                now=now,
            )
            messages.success(request, f"{pharmacy.name} is open. Let people in, then its work can begin.")
            if warning := warn_of_text_costs(pharmacy, reminders.count_text_costs(pharmacy)):
                messages.warning(request, f"{warning} Settings list them.")
            return redirect("counter:people")
    except DispensaryError as error:
        errors, status = error_lines(error, {name: f"id_{name}" for name in form.fields}), error.status
    context = {"form": form, "profiles": profiles_in_words(now.date()), "default_profile": conf().default_profile}
    response = render_page(request, None, "open_pharmacy.html", context, errors=errors, status=status)
    patch_cache_control(response, no_store=True, private=True)
    return response


def profiles_in_words(on: date) -> dict[str, list[tuple[str, Difference]]]:
    """Return what each profile sets otherwise than the site's default, each number with what it is."""
    return {
        name: [(place_title(difference.place), difference) for difference in differences]
        for name, differences in profile_differences(on).items()
    }


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_change_settings)
def settings(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show and change the settings; before and after stand in the log."""
    form = PharmacyForm(request.POST if request.method == "POST" else None, pharmacy=visit.pharmacy)
    errors: list[ErrorLine] = form_error_lines(form)
    version = request.POST.get("version", "")
    if form.is_valid():
        try:
            waiting = settings_changes.change_settings(
                pharmacy=visit.pharmacy,
                changes=form.changes(),
                version=int(version) if version.isdecimal() and len(version) < 10 else 0,
                by=visit.by,
                now=visit.now,
            )
            words = "The settings are saved."
            if waiting is not None:
                words = "Limits and signers are not changed yet, see below; everything else is saved."
            messages.success(request, words)
            return redirect("counter:settings")
        except DispensaryError as error:
            errors = error_lines(error, {name: f"id_{name}" for name in form.fields})
    costs = reminders.count_text_costs(visit.pharmacy)
    context = {
        "form": form,
        "text_costs": [(row.kind.label, [row.segments[language] for language in Language.values]) for row in costs],
        "text_languages": Language.labels,
        "text_warning": warn_of_text_costs(visit.pharmacy, costs),
        "version": version or visit.pharmacy.version,
        "waiting": settings_changes.find_waiting(visit.pharmacy),
        "labels": LABELS,
        "profiles": profiles_in_words(visit.today),
        "default_profile": conf().default_profile,
        "trial": TrialForm(),
    }
    return render_page(request, visit, "settings.html", context, errors=errors, status=422 if errors else 200)


def warn_of_text_costs(pharmacy: Pharmacy, costs: Sequence[reminders.TextCosts]) -> str:
    """Return a sentence on the kinds that cost several text messages in the pharmacy's language; "" where none does."""
    longer = sum(row.segments[pharmacy.language].count > 1 for row in costs)
    if not longer:
        return ""
    remedy = (
        "A shorter address of the site for links (text_url) helps."
        if len(pharmacy.name_in_texts) <= 10
        else f"A short name helps: \u201c{pharmacy.name_in_texts}\u201d has {len(pharmacy.name_in_texts)} letters, and stands in each."
    )
    return f"{longer} of {len(costs)} kinds of text messages in {pharmacy.get_language_display()} cost two or more. {remedy}"


@require_POST
@at_counter(policies.may_change_settings)
def try_channel(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Send a test message, and say what its channel answered."""
    form = TrialForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"No test message was sent: {form_error_lines(form)[0].words}.")
    else:
        try:
            answer = channel_trials.send_trial(pharmacy=visit.pharmacy, by=visit.by, now=visit.now, **form.cleaned_data)
        except DispensaryError as error:
            messages.error(request, f"No test message was sent. {error_lines(error, {})[0].words}")
        else:
            if answer == "accepted":
                messages.success(request, "The test message was taken by its provider. Look whether it arrives.")
            else:
                messages.error(request, f"The test message was not taken: {TRIAL_WORDS.get(answer, answer)}.")
    return redirect("counter:settings")


@require_POST
@at_counter(policies.may_change_settings)
def decide_change(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """Agree to a change of limits or signers that another manager asked for, or take it back."""
    change = visit.fetch(SettingsChange.objects.select_related("pharmacy"), pk)
    if request.POST.get("do") == "approve":
        settings_changes.approve(change=change, by=visit.by, now=visit.now)
        messages.success(request, "The change is in force.")
    else:
        settings_changes.withdraw(change=change, by=visit.by, now=visit.now)
        messages.success(request, "The change was taken back.")
    return redirect("counter:settings")
