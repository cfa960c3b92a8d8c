"""Rendering of the counter's pages, and errors of forms and actions as lines of a page's error summary."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError, Problem
from dispensary.templatetags.counter import dates

TYPED_KEY = "dispensary_typed"
ANSWERED_FOR = ("acknowledged", "lines", "mitigation")
"""Ends of the names of fields with which a person takes responsibility; nobody else finds them filled in."""
SECRETS = frozenset({"again", "code", "credential", "nonce", "passkey", "pin"})
"""Names of fields that prove who is there: typed anew each time, and kept nowhere; so is each with "password" in its name."""
MOST_TYPED = 20_000
"""Characters of a page's fields that are saved when the counter is locked."""


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """One line of an error summary, with the id of the field it belongs to."""

    words: str
    target: str = ""


def render_page(
    request: HttpRequest,
    visit: Visit | None,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    errors: Iterable[ErrorLine] = (),
    status: int = 200,
) -> HttpResponse:
    """Render a page of the counter, with an error summary when there are errors."""
    restores_typed = visit and request.method == "GET" and status == 200 and not visit.is_locked
    data = {
        "visit": visit,
        "typed": request.session.pop(TYPED_KEY, {}).get(request.path) if restores_typed else None,
        "errors": [ErrorLine(dates(line.words, visit.zone if visit else None), line.target) for line in errors],
        "today": visit.today if visit else None,
        **(context or {}),
    }
    return render(request, f"dispensary/{template}", data, status=status)


def render_error(
    request: HttpRequest, visit: Visit | None, status: int, title: str, words: str, *, problems: Iterable[Problem] = ()
) -> HttpResponse:
    """Render an error as a page: what happened and what to do now."""
    context = {"heading": title, "words": words, "problems": problems}
    return render_page(request, visit, "error.html", context, status=status)


def keep_typed(request: HttpRequest) -> str:
    """Return the address of the page that a request came from; what a form sent is saved for it, but no password."""
    if request.method != "POST":
        return request.get_full_path()
    address = page_of(request)
    save_typed_fields(request, address, json.dumps(typed_pairs(request)))
    return address


def typed_pairs(request: HttpRequest) -> list[tuple[str, str]]:
    """Return names and values of a form's fields, without passwords, codes and tokens."""
    return [
        (name, str(value))
        for name, values in request.POST.lists()
        if name != "csrfmiddlewaretoken" and not is_secret(name)
        for value in values
    ]


def is_secret(name: str) -> bool:
    """Return whether a field of this name proves who is there."""
    return name in SECRETS or "password" in name


def page_of(request: HttpRequest) -> str:
    """Return the path of the page that a form was on: of this site, else of the request itself."""
    page = urlsplit(request.headers.get("Referer", ""))
    return page.path if page.netloc == request.get_host() and page.path else request.path


def save_typed_fields(request: HttpRequest, address: str, text: str) -> None:
    """Save a page's fields in the session while the counter is locked.

    `text` is JSON, a list of pairs of name and value; anything else, or more than `MOST_TYPED` characters, is dropped.
    """
    try:
        pairs = json.loads(text) if len(text) <= MOST_TYPED else None
    except ValueError:
        pairs = None
    if isinstance(pairs, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        fields = [[str(name), str(value)] for name, value in pairs if not is_secret(str(name))]
        request.session[TYPED_KEY] = {address: fields}


def drop_answers(request: HttpRequest) -> None:
    """Drop from the saved fields those with which a person takes responsibility."""
    request.session[TYPED_KEY] = {
        address: [pair for pair in pairs if not pair[0].endswith(ANSWERED_FOR)]
        for address, pairs in request.session.get(TYPED_KEY, {}).items()
    }


def error_lines(error: DispensaryError, targets: Mapping[str, str]) -> list[ErrorLine]:
    """Return an action's error as lines; `targets` gives the id of the form's field for each field of the action.

    A single problem is said in the error's own sentence; of several each names its field.
    """
    if not error.problems:
        return [ErrorLine(error.detail)]
    heads = [error.detail] if len(error.problems) == 1 else [name_field(p) for p in error.problems]
    return [
        ErrorLine(f"{head} Expected: {problem.expected}. {problem.next}".strip(), targets.get(problem.field, ""))
        for head, problem in zip(heads, error.problems, strict=True)
    ]


def name_field(problem: Problem) -> str:
    """Return field and value as a sentence: `Birth date: 2030-01-01.`"""
    field = problem.field.rpartition(".")[2].replace("_", " ")
    return capitalize(f"{field}: {problem.given}." if field else f"{problem.given}.")


def end_sentence(words: str) -> str:
    """Return words with a full stop, where they do not end their sentence themselves."""
    return words if words.endswith((".", "?", "!")) else f"{words}."


def capitalize(words: str) -> str:
    """Return words with a large first letter."""
    return words[:1].upper() + words[1:]


def form_error_lines(form: forms.Form) -> list[ErrorLine]:
    """Return a form's errors as lines, each with the id of its field."""
    return [ErrorLine(str(words), _target(form, name)) for name, errors in form.errors.items() for words in errors]


def _target(form: forms.Form, name: str) -> str:
    """Return the id that a link to a field's error goes to: of several choices the first; none for the whole form."""
    if name not in form.fields:
        return ""
    has_choices = isinstance(form.fields[name].widget, forms.RadioSelect | forms.CheckboxSelectMultiple)
    return f"{form[name].auto_id}_0" if has_choices else form[name].id_for_label
