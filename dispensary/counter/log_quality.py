"""Quality of the findings at the desk: how often each rule is shown and overridden, by whom, in which words.

Counts are read from tables made of the log each night. Small numbers stay counts, and nobody is ranked.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from baclofen_rules.rules import all_rules
from dispensary import policies
from dispensary.actions import log_review, peer_review
from dispensary.actions.peer_review import Verdict
from dispensary.assessment import rules_of_two
from dispensary.audit.checks.counts import Cell, Counted
from dispensary.audit.checks.wording import Saying, Wording
from dispensary.audit.log.search import choose_words
from dispensary.counter.access import at_counter
from dispensary.counter.audit_desk import TEXT_PERIOD, PeriodForm, query_with_period
from dispensary.counter.log_lines import reason_words
from dispensary.counter.log_standing import read_standing
from dispensary.counter.pages import error_lines, form_error_lines, render_page
from dispensary.counter.shares import FEWEST, Rate, Share, count_interval, describe_median, findings_for_one_change
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError
from dispensary.models import StaffMember
from dispensary.text import rule_title

PERIOD = timedelta(days=90)
FLAGGED_FROM = 50
FLAGGED_ABOVE = 0.9
"""A rule is a candidate for a changed limit where so many findings ended and the interval of its share lies above this."""
SAME_REASON_FROM = 30
SAME_REASON_ABOVE = 0.8
"""One reason is used for everything where so many answers had a choice and the interval of its share lies above this."""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule at a severity."""

    code: str
    title: str
    severity: str
    cell: Cell
    burden: list[Rate]
    answered: Share
    changed: Share
    effort: str
    commonest: str
    is_one_reason: bool
    median: str
    quick: Share
    unread: Share
    is_candidate: bool
    weeks: list[tuple[int, int]]
    """Place and height of each week's bar, 0 to 20."""
    query: str


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A member of staff; their overrides as a count with its interval."""

    name: str
    number: int
    interval: tuple[int, int]
    commonest: str
    quick: Share
    query: str


@dataclass(frozen=True, slots=True)
class SayingRow:
    """Words that say nothing or are repeated, with who signed them and under which rules."""

    saying: Saying
    name: str
    rules: str
    query: str


@require_safe
@at_counter(policies.may_read_log)
def quality(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show the counts of a period by rule and by person."""
    yesterday = visit.today - timedelta(days=1)
    form = PeriodForm(query_with_period(request, yesterday - PERIOD, yesterday), visit=visit)
    errors = form_error_lines(form) if not form.is_valid() else []
    context: dict[str, Any] = {"form": form, "standing": read_standing(visit)}
    if not errors:
        since, until = form.cleaned_data["since"], form.cleaned_data["until"]
        try:
            period = {"pharmacy": visit.pharmacy, "since": since, "until": until, "by": visit.by, "now": visit.now}
            counted, wording = log_review.read_quality(**period), log_review.read_words(**period)
        except DispensaryError as error:
            errors = error_lines(error, {"since": "id_since"})
        else:
            names, mondays = read_staff_names(visit), list_mondays(since, until)
            context |= {
                "counted": counted,
                "rules": rule_rows(counted, mondays, since, until, rules_of_two(visit.pharmacy, visit.today)),
                "mondays": mondays,
                "period": urlencode({"since": since, "until": until}),
                "missing_seconds": urlencode({"since": since, "until": until, "then": "used", "only": "unseconded"}),
                "by_week": week_rows(counted, mondays),
                "people": person_rows(counted, names, since, until),
                "never": sorted(
                    {rule_title(rule.code) for rule in all_rules()} - {rule_title(code) for code, _ in counted.rules}
                ),
                "judged": judged_rows(visit, since, until),
                "wording": wording,
                "listed": Share(wording.listed, wording.number),
                "sayings": saying_rows(wording, names, since, until),
                "complaints": [(rule_title(rule), number) for rule, number in wording.complaints.items()],
            }
    return render_page(request, visit, "audit_quality.html", context, errors=errors, status=422 if errors else 200)


def rule_rows(
    counted: Counted, mondays: Sequence[date], since: date, until: date, of_two: Container[str]
) -> list[RuleRow]:
    """Return the rules, the most often shown first. `of_two` need a second signature, and are no candidates."""
    rows, totals = [], counted.totals
    for (code, severity), cell in sorted(counted.rules.items(), key=lambda item: (-item[1].shown, item[0])):
        concluded = cell.answered + cell.changed + cell.waited
        share, changed = Share(cell.answered, concluded), Share(cell.changed, concluded)
        commonest = Share(max(cell.chosen.values(), default=0), sum(cell.chosen.values()))
        by_week = [counted.weeks[code].get(monday, 0) for monday in mondays]
        highest = max(by_week, default=0) or 1
        rows.append(
            RuleRow(
                code=code,
                title=rule_title(code),
                severity=severity,
                cell=cell,
                burden=[
                    Rate(number, per, unit)
                    for number, per, unit in (
                        (cell.shown, totals.orders, "orders"),
                        (cell.shown, totals.handovers, "hand-overs"),
                        (cell.repeated, totals.repeats, "repeats"),
                    )
                    if per >= FEWEST
                ],
                answered=share,
                changed=changed,
                effort=findings_for_one_change(changed),
                commonest=describe_commonest(cell.reasons),
                is_one_reason=commonest.is_above(SAME_REASON_ABOVE, SAME_REASON_FROM),
                median=describe_median(cell.dwell),
                quick=Share(cell.quick, cell.timed),
                unread=Share(cell.unread, cell.timed),
                is_candidate=severity == "override"
                and code not in of_two
                and share.is_above(FLAGGED_ABOVE, FLAGGED_FROM),
                weeks=[(7 * place, round(20 * number / highest)) for place, number in enumerate(by_week)],
                query=urlencode({"since": since, "until": until, "rule": code, "severity": "both"}),
            )
        )
    return rows


def list_mondays(since: date, until: date) -> list[date]:
    """Return the first days of the weeks that a period touches."""
    begin = since - timedelta(days=since.weekday())
    return [begin + timedelta(weeks=number) for number in range((until - begin).days // 7 + 1)]


def week_rows(counted: Counted, mondays: Sequence[date]) -> list[tuple[str, list[int]]]:
    """Return the title of each rule that was shown, and on how many orders in each week."""
    return sorted(
        (rule_title(code), [by_week.get(monday, 0) for monday in mondays]) for code, by_week in counted.weeks.items()
    )


def read_staff_names(visit: Visit) -> dict[str, str]:
    """Return the names of the pharmacy's staff by the name under which the log knows them."""
    return {member.actor().name: member.display_name for member in StaffMember.objects.filter(pharmacy=visit.pharmacy)}


def judged_rows(visit: Visit, since: date, until: date) -> list[tuple[str, Share, Share]]:
    """Return each rule with the shares of its judged overrides whose finding was right, and whose answer was fitting."""

    def share(counter: Mapping[Verdict, int]) -> Share:
        return Share(counter.get(Verdict.YES, 0), counter.get(Verdict.YES, 0) + counter.get(Verdict.NO, 0))

    verdicts = peer_review.count_verdicts(pharmacy=visit.pharmacy, since=since, until=until, by=visit.by)
    return [
        (rule_title(rule), share(verdicts[rule].finding_right), share(verdicts[rule].answer_fitting))
        for rule in sorted(verdicts)
    ]


def person_rows(counted: Counted, names: Mapping[str, str], since: date, until: date) -> list[PersonRow]:
    """Return who signed overrides, by name: never by rank."""
    rows = [
        PersonRow(
            name=names.get(actor, actor),
            number=cell.answered,
            interval=count_interval(cell.answered),
            commonest=describe_commonest(cell.reasons),
            quick=Share(cell.quick, cell.timed),
            query=urlencode({"since": since, "until": until, "actor": actor}),
        )
        for actor, cell in counted.people.items()
    ]
    return sorted(rows, key=lambda row: row.name)


def saying_rows(wording: Wording, names: Mapping[str, str], since: date, until: date) -> list[SayingRow]:
    """Return the words to be read, with an address that lists the answers; of the last days only, where the period is long."""
    begin = max(since, until - TEXT_PERIOD)
    return [
        SayingRow(
            saying=saying,
            name=names.get(saying.signer, saying.signer),
            rules=", ".join(sorted(rule_title(rule) for rule in saying.rules)),
            query=urlencode(
                {
                    "since": begin,
                    "until": until,
                    "actor": saying.signer,
                    "words": choose_words(saying.words),
                    "severity": "both",
                }
            ),
        )
        for saying in wording.sayings
    ]


def describe_commonest(reasons: Mapping[str, int]) -> str:
    """Return the commonest reason with its share; "" where none was given."""
    if not reasons:
        return ""
    code, number = max(reasons.items(), key=lambda item: (item[1], item[0]))
    return f"{reason_words(code)}: {Share(number, sum(reasons.values()))}"
