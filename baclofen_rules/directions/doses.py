"""One day's doses in milligrams, from a clause as it is written."""

from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from baclofen_rules.text import format_amount

from .clauses import Cap, Clause, Dose, Moment
from .doubt import Doubt, Why
from .moments import HOURS_A_DAY
from .questions import DOSES_OR_STEPS
from .tokens import PARTS, Kind, Token

LARGEST_DAILY_MG = Decimal(20)
"""The largest amount that "daily" alone gives as one dose: the US label's 80 mg a day are 20 mg four times. Above it, ask."""
LARGEST_PLACE = 4
"""The largest count in a scheme like 1-0-1; more may be milligrams."""
CENT = Decimal("0.01")
MEALS_A_DAY = 3
NOON = 12 * 60
_HOURS_OF_PLACES = {3: ((8,), (12,), (18, 22)), 4: ((8,), (12,), (18,), (22,))}
"""The hours by which words for a time of day are sorted, for each place of a scheme of three or four."""
EVENING_OR_NIGHT = {18 * 60, 22 * 60}
_TIMES_OF_HOURS = {8: "morning", 12: "midday", 18: "evening", 22: "bedtime"}
"""The times of day as a phase names them: those of the places of a scheme too, of which three are until the evening."""


class Day(NamedTuple):
    """One day's doses in milligrams, in the order they are taken, and where they were written."""

    doses: tuple[Decimal, ...]
    start: int
    end: int
    by_the_clock: bool = False
    as_needed: bool = False
    times: tuple[str | None, ...] | None = None
    """The time of each dose where the text says it: morning, midday, evening, bedtime or HH:MM; None of "afternoon"."""

    @property
    def mg(self) -> Decimal:
        """The day's sum."""
        return sum(self.doses, Decimal(0))


class DoseReader:
    """Turns the doses of one text into milligrams, for one tablet strength and one meaning of "od"."""

    def __init__(self, text: str, strength_mg: Decimal | None, od_means_once_daily: bool | None) -> None:
        self.text = text
        self.strength_mg = strength_mg
        self.stated_mg: Decimal | None = None
        """The strength that the text itself states."""
        self.od_means_once_daily = od_means_once_daily

    # ---- one dose

    def state_strength(self, dose: Dose) -> None:
        """Take the strength from "Baclofen 10 mg tablets: ..."; a doubt where it is not the one asked about."""
        assert dose.tablet_mg is not None
        strength = self.strength
        if strength is not None and strength != dose.tablet_mg:
            raise Doubt(
                dose.start,
                dose.end,
                f"The tablets are {strength} mg, the directions say {dose.tablet_mg} mg. Which is right?",
            )
        self.stated_mg = dose.tablet_mg

    @property
    def strength(self) -> Decimal | None:
        return self.strength_mg if self.strength_mg is not None else self.stated_mg

    def mg(self, dose: Dose) -> Decimal:
        """One dose in milligrams."""
        where = (dose.start, dose.end)
        if dose.tablets is None:
            assert dose.mg is not None
            return dose.mg
        if dose.tablet_mg is not None:
            self.state_strength(dose)
            return self._agree(dose, dose.tablets, dose.tablet_mg)
        strength = self.strength
        if strength is None and dose.mg is None:
            raise Doubt(*where, "Of which strength? Give the strength of the tablet in mg.", Why.NO_STRENGTH)
        if strength is None:
            assert dose.mg is not None
            if dose.tablets != 1:
                ask = f"Is each tablet {format_amount(dose.mg)} mg, or all of them together?"
                raise Doubt(*where, ask, Why.NO_STRENGTH)
            self.stated_mg = dose.mg
            return dose.mg
        return self._agree(dose, dose.tablets, strength)

    @staticmethod
    def _agree(dose: Dose, tablets: Decimal, strength: Decimal) -> Decimal:
        if dose.mg is not None and tablets * strength != dose.mg:
            product = f"{format_amount(tablets)} x {format_amount(strength)} mg is not {format_amount(dose.mg)} mg"
            raise Doubt(dose.start, dose.end, f"{product}. Which is meant?")
        return tablets * strength

    # ---- one day

    def day(self, clause: Clause) -> Day:
        """One day's doses of a clause."""
        if clause.prn is not None and clause.doses and not (clause.often or clause.moments or clause.total):
            raise Doubt(clause.start, clause.end, "At most how many times a day, when it is needed?")
        day = self._regular(clause)
        if clause.stated_total is not None:
            dose, start, end = clause.stated_total
            total = self.mg(dose)
            if total != day.mg:
                raise Doubt(start, end, f"{_sum(day)}, not {format_amount(total)} mg: which is right?")
        if clause.prn is not None:
            if len(set(day.doses)) > 1:
                raise Doubt(clause.start, clause.end, "Which of the doses are taken only when needed?")
            return day._replace(as_needed=True)
        if clause.up_to is not None:
            raise Doubt(clause.up_to.start, clause.end, "Only when needed, or this often every day?")
        return day

    def _regular(self, clause: Clause) -> Day:
        where = (clause.start, clause.end)
        if clause.scheme is not None:
            return self._of_scheme(clause, clause.scheme)
        doses = clause.doses
        if not doses:
            raise Doubt(*where, "What dose each time?")
        for often in clause.often:
            if often.kind is Kind.OD and not self.od_means_once_daily:
                raise Doubt(often.start, often.end, 'Does "od" mean once a day here?')
        if clause.numbered is not None:
            return self._numbered(clause, clause.numbered)
        if clause.shared is not None:
            return self._shared(clause)
        if clause.moments:
            return self._timed(clause)
        if clause.meals is not None and not clause.often and clause.total is None:
            raise Doubt(*where, "How many times a day?")
        if len(doses) > 1:
            return self._several(clause)
        dose = self.mg(doses[0])
        if clause.often:
            says_each_day = (
                clause.total is not None and clause.total.value and clause.often[0].start < clause.total.start
            )
            if clause.total is not None and clause.often[0].times != 1 and not says_each_day:
                raise Doubt(clause.often[0].start, clause.end, "How many times a day?")
            return Day((dose,) * clause.often[0].times, *where)
        if clause.total is None:
            raise Doubt(*where, "How many times a day?")
        self._check_daily(clause, doses[0], dose, clause.total)
        return Day((dose,), *where)

    def _check_daily(self, clause: Clause, dose: Dose, mg: Decimal, total: Token) -> None:
        """A doubt where "daily" or "a day" may go with the day's total."""
        one_tablet = dose.tablets is not None and dose.tablets <= 1
        is_small = total.kind is Kind.DAILY and mg <= LARGEST_DAILY_MG and not dose.is_bare
        if not (one_tablet or is_small):
            raise Doubt(dose.start, total.end, "In how many doses a day?")

    def _of_scheme(self, clause: Clause, scheme: Token) -> Day:
        """ "1-0-1", "1/2-1/2-1-0": tablets in the morning, at noon, in the evening and at night."""
        where = (scheme.start, scheme.end)
        ask = "Do these stand for morning, midday and night? Write out each dose."
        places = [_place(text) for text in scheme.value]
        if len(places) not in (3, 4) or None in places:
            raise Doubt(*where, ask)
        counts = [place for place in places if place is not None]
        falls = all(left > right for left, right in pairwise(counts))
        rises = counts[0] > 0 and all(left < right for left, right in pairwise(counts))
        taper = falls and (counts[-1] > 0 or (len(counts) == 3 and not clause.scheme_has_unit))
        if max(counts) > LARGEST_PLACE or not any(counts):
            raise Doubt(*where, ask)
        if taper or rises:
            raise Doubt(*where, DOSES_OR_STEPS)
        doses = tuple(self.mg(Dose(*where, tablets=count)) for count in counts if count)
        labels = [moment.minutes for moment in clause.moments]
        if (
            (clause.often and clause.often[0].times != len(doses))
            or (labels and not _label(labels, counts))
            or clause.doses
        ):
            raise Doubt(clause.start, clause.end, f"{len(doses)} doses a day, or as often as said? Which is right?")
        times = [time for time, count in zip(_TIMES_OF_HOURS.values(), counts, strict=False) if count]
        if counts[-1] and labels and labels[-1] == 22 * 60:
            times[-1] = "bedtime"
        return Day(doses, *where, by_the_clock=True, times=tuple(times))

    # ---- times of day

    def _timed(self, clause: Clause) -> Day:
        where = (clause.start, clause.end)
        if len(clause.doses) > 1:
            if clause.often:
                raise Doubt(*where, "In addition to what stands before it, or afterwards?")
            return self._paired(clause)
        moments = self._distinct(clause)
        dose = clause.doses[0]
        times = len(moments) + (MEALS_A_DAY if self._meals_count(clause) else 0)
        if clause.often:
            often = clause.often[0]
            if often.times != times:
                raise Doubt(*where, f"{often.times} times a day, and {times} named: which is right?")
            minutes = sorted(moment.minutes for moment in moments)
            if often.kind is Kind.EVERY and not _fit(minutes, exactly=moments[0].is_clock):
                raise Doubt(*where, f"{often.text.capitalize()}, or at the times named? They do not fit.")
            return Day((self.mg(dose),) * times, *where, times=_times(moments) if len(moments) == times else None)
        total = clause.total
        every_day = total is not None and total.kind is Kind.DAILY
        stands_apart = total is not None and (total.start <= clause.start or total.start > moments[-1].start)
        if total is not None and times != 1 and not (every_day and stands_apart):
            raise Doubt(*where, f"Once a day, and {times} times of day named: which is right?")
        if clause.meals is not None and clause.meals.start < moments[0].start:
            raise Doubt(*where, "How many times a day?")
        return Day((self.mg(dose),) * times, *where, by_the_clock=True, times=_times(moments))

    @staticmethod
    def _meals_count(clause: Clause) -> bool:
        """Return whether "with meals and at bedtime" are three meals and the night: only a count says so."""
        named = len(clause.moments) + MEALS_A_DAY
        return clause.meals is not None and bool(clause.often) and clause.often[0].times == named

    def _distinct(self, clause: Clause) -> list[Moment]:
        """Times of day of one dose; one that is said twice in other words counts once."""
        distinct: list[Moment] = []
        texts: set[str] = set()
        for moment in clause.moments:
            is_new = moment.text not in texts
            texts.add(moment.text)
            if distinct:
                before = distinct[-1]
                is_same = before.minutes == moment.minutes and not (before.is_clock and moment.is_clock)
                if is_same and not moment.joined and is_new:
                    continue
                if not clause.often and self._may_be_one(clause, before, moment):
                    raise Doubt(distinct[0].start, moment.end, "Is this one moment, or two doses a day?")
            distinct.append(moment)
        return self._checked(distinct)

    @staticmethod
    def _may_be_one(clause: Clause, before: Moment, moment: Moment) -> bool:
        """Return whether two times of day of one dose may name one moment: "in the evening at bedtime"."""
        if moment.is_clock or before.is_clock:
            return False
        if moment.joined == "/" and {before.minutes, moment.minutes} == EVENING_OR_NIGHT:
            return True
        return clause.once is not None or (not moment.joined and " " in moment.text)

    @staticmethod
    def _checked(moments: list[Moment]) -> list[Moment]:
        """Moments none of which is named twice; a doubt where clock and words are mixed."""
        where = (moments[0].start, moments[-1].end)
        if any(moment.is_clock for moment in moments):
            moments = [
                moment._replace(is_clock=True) if moment.minutes == NOON and "noon" in moment.text else moment
                for moment in moments
            ]
        if len({moment.is_clock for moment in moments}) > 1:
            raise Doubt(*where, "Clock times or times of day? Write all of them in the same way.")
        if len({moment.minutes for moment in moments}) != len(moments):
            raise Doubt(*where, "The same time of day is named twice. How many doses a day?")
        return moments

    def _paired(self, clause: Clause) -> Day:
        """Each dose with the times of day behind it, or each time of day with the dose behind it."""
        where = (clause.start, clause.end)
        pairs: list[tuple[Moment, Dose]] = []
        items = clause.items
        if isinstance(items[0], Dose):
            dose: Dose | None = None
            run: list[Moment] = []
            for item in [*items, None]:
                if isinstance(item, Moment):
                    run.append(item)
                    continue
                if dose is not None:
                    if not run:
                        raise Doubt(dose.start, dose.end, "When in the day is this taken?")
                    pairs += [(moment, dose) for moment in self._run(clause, run)]
                dose, run = item, []
        else:
            for at in range(0, len(items), 2):
                pair = items[at : at + 2]
                if len(pair) != 2 or not isinstance(pair[0], Moment) or not isinstance(pair[1], Dose):
                    raise Doubt(*where, "Which dose goes with which time of day?")
                pairs.append((pair[0], pair[1]))
        self._checked([moment for moment, _ in pairs])
        if clause.total is not None and clause.total.kind is Kind.PER_DAY:
            raise Doubt(*where, "Which dose goes with which time of day?")
        ordered = sorted(pairs, key=lambda pair: pair[0].minutes)
        times = _times([moment for moment, _ in pairs])
        return Day(tuple(self.mg(dose) for _, dose in ordered), *where, by_the_clock=True, times=times)

    def _run(self, clause: Clause, moments: list[Moment]) -> list[Moment]:
        """The times of day behind one of several doses."""
        return self._distinct(Clause(clause.start, clause.end, items=list(moments), once=clause.once))

    # ---- several doses, shared totals

    def _several(self, clause: Clause) -> Day:
        where = (clause.start, clause.end)
        if len(clause.doses) < 3 or clause.often:
            second = clause.doses[1]
            if len(clause.doses) == 2 and not clause.often:
                raise Doubt(*where, "At what times of day is each dose taken?")
            raise Doubt(second.start, second.end, "In addition to what stands before it, or afterwards?")
        if len({dose.mg is None for dose in clause.doses}) > 1:
            raise Doubt(*where, "Milligrams or tablets? Write all of the doses in the same way.")
        doses = tuple(self.mg(dose) for dose in clause.doses)
        in_order = (tuple(sorted(doses)), tuple(sorted(doses, reverse=True)))
        if clause.total is None and len(set(doses)) > 1 and doses in in_order:
            raise Doubt(*where, DOSES_OR_STEPS)
        return Day(doses, *where)

    def _numbered(self, clause: Clause, count: int) -> Day:
        where = (clause.start, clause.end)
        doses = tuple(self.mg(dose) for dose in clause.doses)
        if count != len(doses) or clause.often or clause.moments:
            raise Doubt(*where, f"{count} doses a day, and {len(doses)} listed: which is right?")
        return Day(doses, *where)

    def _shared(self, clause: Clause) -> Day:
        where = (clause.start, clause.end)
        assert clause.shared is not None
        times = clause.shared_times or (clause.often[0].times if clause.often else 0)
        if not times or (clause.often and clause.often[0].times != times) or len(clause.doses) > 1:
            raise Doubt(clause.shared.start, clause.end, "In how many doses a day?")
        total = self.mg(clause.doses[0])
        dose = (total / times).quantize(CENT)
        if dose * times != total:
            ask = f"{format_amount(total)} mg does not divide into {times} equal doses. How much each time?"
            raise Doubt(*where, ask)
        moments = self._distinct(clause) if clause.moments else []
        if moments and len(moments) != times:
            raise Doubt(*where, f"{times} doses a day, and {len(clause.moments)} times named: which is right?")
        return Day((dose.normalize(),) * times, *where, times=_times(moments) if moments else None)

    # ---- the most of a day

    def most_mg(self, caps: list[Cap], highest: Day) -> Decimal | None:
        """The most in a day where the text names it; a doubt where it is less than what is taken, or differs."""
        most: Decimal | None = None
        for cap in caps:
            dose = cap.dose
            if dose.is_bare and (highest.mg == 0 or self.strength is None):
                raise Doubt(cap.start, cap.end, "At most how many, milligrams or tablets?")
            mg = self.mg(dose)
            if mg < highest.mg:
                raise Doubt(
                    cap.start, cap.end, f"{_sum(highest)}, and at most {format_amount(mg)} mg a day: which is right?"
                )
            if most is not None and mg != most:
                raise Doubt(cap.start, cap.end, f"At most {format_amount(most)} or {format_amount(mg)} mg a day?")
            most = mg
        return most


def _sum(day: Day) -> str:
    if len(set(day.doses)) == 1:
        return f"{len(day.doses)} x {format_amount(day.doses[0])} mg = {format_amount(day.mg)} mg"
    return f"{' + '.join(format_amount(dose) for dose in day.doses)} = {format_amount(day.mg)} mg"


def _times(moments: list[Moment]) -> tuple[str | None, ...]:
    """Return the times of a day's doses in their order, as a phase has them."""
    ordered = sorted(moments, key=lambda moment: moment.minutes)
    return tuple(
        f"{m.minutes // 60:02}:{m.minutes % 60:02}" if m.is_clock else _TIMES_OF_HOURS.get(m.minutes // 60)
        for m in ordered
    )


def _label(labels: list[int], counts: list[Decimal]) -> bool:
    """Return whether times of day name every place of a scheme in order, or its one dose."""
    if len(labels) == 1 and sum(bool(count) for count in counts) == 1:
        at = [bool(count) for count in counts].index(True)
        return labels[0] // 60 in _HOURS_OF_PLACES[len(counts)][at]
    return labels == sorted(set(labels)) and len(labels) == len(counts)


def _place(text: str) -> Decimal | None:
    """The count at one place of a scheme; None for what is no count."""
    whole, _, part = text.rpartition(" ")
    if part in PARTS:
        return PARTS[part] + (Decimal(whole) if whole else 0)
    if "/" in part or whole or (len(part) > 1 and part[0] == "0" and part[1].isdigit()):
        return None
    return Decimal(part.replace(",", "."))


def _fit(minutes: list[int], *, exactly: bool) -> bool:
    """Return whether sorted times lie evenly around the day; words for times of day are taken to two thirds of the interval."""
    day = HOURS_A_DAY * 60
    gaps = [(later - earlier) % day for earlier, later in zip(minutes, minutes[1:] + minutes[:1], strict=True)]
    if len(minutes) == 1:
        return True
    return max(gaps) == min(gaps) if exactly else min(gaps) * len(minutes) * 3 >= day * 2
