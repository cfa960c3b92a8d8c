"""The packs that are known here: looked up, and added from a scan."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from dispensary import policies
from dispensary.actions import pharmacies
from dispensary.counter.access import at_counter
from dispensary.counter.forms import StyledForm, posted_data
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.documents.words import mg
from dispensary.errors import DispensaryError
from dispensary.models import Product
from dispensary.scanning import Pack, UnreadableScan, read_scan

TYPED = {"autocomplete": "off", "spellcheck": "false"}


class PackForm(StyledForm):
    """What stands on a pack."""

    code = forms.CharField(
        label="Scan the pack, or type the number under its bar code",
        max_length=300,
        widget=forms.TextInput(attrs=TYPED),
        error_messages={"required": "Scan the pack"},
    )
    ingredient = forms.CharField(
        label="Medicine, as on the pack",
        max_length=64,
        help_text="The active ingredient: baclofen",
        widget=forms.TextInput(attrs=TYPED),
        error_messages={"required": "Type the medicine as on the pack"},
    )
    name = forms.CharField(
        label="Name, as on the pack",
        max_length=120,
        help_text="With its strength and form: Lioresal 10 mg tablets",
        widget=forms.TextInput(attrs=TYPED),
        error_messages={"required": "Type the name as on the pack"},
    )
    brand = forms.CharField(label="Brand", max_length=64, required=False, widget=forms.TextInput(attrs=TYPED))
    strength_mg = forms.DecimalField(
        label="Strength of one tablet, mg",
        min_value=Decimal("0.5"),
        max_value=Decimal(1000),
        decimal_places=3,
        widget=forms.TextInput(attrs=TYPED | {"inputmode": "decimal", "class": "nhsuk-input--width-5"}),
        error_messages={"required": "Type the strength in mg", "invalid": "Type the strength as a number, such as 10"},
    )
    pack_size = forms.IntegerField(
        label="Tablets in the pack",
        min_value=1,
        max_value=10_000,
        widget=forms.TextInput(attrs=TYPED | {"inputmode": "numeric", "class": "nhsuk-input--width-5"}),
        error_messages={"required": "Type the tablets in the pack", "invalid": "Type the tablets as a number"},
    )
    compared = forms.BooleanField(
        label="I have compared medicine, strength and size with the pack in my hand",
        error_messages={"required": "Compare what is typed with the pack in your hand"},
    )
    order = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def clean_code(self) -> Pack:
        try:
            pack = read_scan(self.cleaned_data["code"])
        except UnreadableScan as error:
            raise forms.ValidationError(str(error)) from error
        product = Product.objects.filter(pk=pack.gtin).first()
        if product is not None:
            words = f"This pack is known: {product.name}, {mg(product.strength_mg)}, {product.pack_size} tablets."
            raise forms.ValidationError(words)
        return pack


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_add_product)
def packs(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List the packs that are known, and add one; scanned on the page of an order, that page comes back."""
    scanned = {name: request.GET[name] for name in ("code", "order") if name in request.GET}
    form = PackForm(posted_data(request), initial=scanned)
    form.fields["ingredient" if "code" in scanned else "code"].widget.attrs["data-focus"] = ""
    errors: list[ErrorLine] = form_error_lines(form)
    if form.is_valid():
        data: dict[str, Any] = dict(form.cleaned_data)
        pack, order = data.pop("code"), data.pop("order")
        del data["compared"]
        try:
            product = pharmacies.add_product(gtin=pack.gtin, **data, by=visit.by, now=visit.now)
        except DispensaryError as error:
            errors = error_lines(error, {"gtin": "id_code"} | {name: f"id_{name}" for name in form.fields})
        else:
            messages.success(request, f"{product.name}, {product.pack_size} tablets, is known now.")
            return redirect("counter:check", order) if order else redirect("counter:packs")
    context = {"form": form, "products": Product.objects.all(), "order": order_of(form)}
    return render_page(request, visit, "packs.html", context, errors=errors, status=422 if errors else 200)


def order_of(form: PackForm) -> uuid.UUID | None:
    """Return the order that a pack was scanned for; None where there is none."""
    try:
        return uuid.UUID(str(form["order"].value() or ""))
    except ValueError:
        return None
