"""A regimen as one plain sentence, which the reader of directions reads back as the same regimen."""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.regimen import Phase, Regimen, Unit
from baclofen_rules.text import format_amount

_UNITS = {Unit.MG: "mg", Unit.MICROGRAM: "micrograms"}
_TIMES = ("", "once", "twice", "three times", "four times", "five times", "six times", "seven times", "eight times")


@dataclass(frozen=True, slots=True)
class Phrases:
    """The phrases of one language; ``{n}`` is a count, ``{x}`` an amount or a list."""

    take: str
    """The first word of the sentence, with the blank behind it."""
    times: tuple[str, ...]
    """Times a day in words, by their number; the last stands for all larger ones."""
    several: str
    lasting: str
    lasting_a_day: str
    then: str
    stop: str
    stop_when_finished: str
    go_on: str
    as_needed: str
    up_to: str
    at_most: str
    decimal_mark: str = ","


ENGLISH = Phrases(
    take="Take ",
    times=(*(f"{times} a day" for times in _TIMES), "{n} times a day"),
    several="{n} doses a day ({x})",
    lasting=" for {n} days",
    lasting_a_day=" for 1 day",
    then=", then ",
    stop=", then stop",
    stop_when_finished=" until finished, then stop",
    go_on=", then continue with a new prescription",
    as_needed=" when needed, ",
    up_to="up to ",
    at_most=", at most {x} a day",
    decimal_mark=".",
)
PHRASES = {
    "en": ENGLISH,
    "de": Phrases(
        take="",
        times=("", "einmal täglich", "zweimal täglich", "dreimal täglich", "{n}x täglich"),
        several="{n} Einzeldosen am Tag ({x})",
        lasting=" für {n} Tage",
        lasting_a_day=" für 1 Tag",
        then=", dann ",
        stop=", dann absetzen",
        stop_when_finished=" bis zum Ende der Packung, dann absetzen",
        go_on=", dann weiter mit neuem Rezept",
        as_needed=" bei Bedarf, ",
        up_to="bis zu ",
        at_most=", höchstens {x} am Tag",
    ),
    "fr": Phrases(
        take="Prendre ",
        times=("", "{n} fois par jour"),
        several="{n} prises par jour ({x})",
        lasting=" pendant {n} jours",
        lasting_a_day=" pendant 1 jour",
        then=", puis ",
        stop=", puis arrêt",
        stop_when_finished=" jusqu'à la fin de la boîte, puis arrêt",
        go_on=", puis continuer avec une nouvelle ordonnance",
        as_needed=" si besoin, ",
        up_to="jusqu'à ",
        at_most=", sans dépasser {x} par jour",
    ),
    "es": Phrases(
        take="Tomar ",
        times=("", "una vez al día", "{n} veces al día"),
        several="{n} tomas al día ({x})",
        lasting=" durante {n} días",
        lasting_a_day=" durante 1 día",
        then=", luego ",
        stop=", luego suspender",
        stop_when_finished=" hasta terminar el envase, luego suspender",
        go_on=", luego continuar con una nueva receta",
        as_needed=" si precisa, ",
        up_to="hasta ",
        at_most=", máximo {x} al día",
    ),
    "it": Phrases(
        take="Prendere ",
        times=("", "una volta al giorno", "{n} volte al giorno"),
        several="{n} dosi al giorno ({x})",
        lasting=" per {n} giorni",
        lasting_a_day=" per 1 giorno",
        then=", poi ",
        stop=", poi stop",
        stop_when_finished=" fino alla fine della confezione, poi stop",
        go_on=", poi continuare con una nuova ricetta",
        as_needed=" al bisogno, ",
        up_to="fino a ",
        at_most=", massimo {x} al giorno",
    ),
}
"""By ISO 639 code."""


def say_directions(
    regimen: Regimen, *, as_needed: bool = False, max_mg_per_day: Decimal | None = None, language: str = "en"
) -> str:
    """The regimen in words, phase after phase, with how it ends.

    ``as_needed`` belongs to a course of one phase; ``max_mg_per_day`` is in milligrams. A regimen in milligrams, with doses
    of at most two decimals, at most twelve a day and two years long, reads back as itself; micrograms are said, but the
    reader asks about them. Raises KeyError for a language without phrases.
    """
    sentence = _Sentence(PHRASES[language])
    most = "" if max_mg_per_day is None else sentence.phrases.at_most.format(x=sentence.dose(max_mg_per_day, Unit.MG))
    if as_needed:
        phase = regimen.phases[0]
        times = f"{sentence.phrases.as_needed}{sentence.phrases.up_to}{sentence.times(phase.times_per_day)}"
        text = f"{sentence.dose(phase.doses[0], phase.unit)}{times}{most}{sentence.lasting(phase.days)}"
    else:
        text = sentence.phrases.then.join(sentence.phase(phase) for phase in regimen.phases) + most
    return f"{sentence.phrases.take}{text}{sentence.ending(regimen)}."


def say_dose(dose: Decimal, unit: Unit = Unit.MG) -> str:
    """ "10 mg", "2.5 mg", "50 micrograms"."""
    return f"{format_amount(dose)} {_UNITS[unit]}"


class _Sentence:
    """The parts of a sentence in one language."""

    def __init__(self, phrases: Phrases) -> None:
        self.phrases = phrases

    def dose(self, dose: Decimal, unit: Unit) -> str:
        return say_dose(dose, unit).replace(".", self.phrases.decimal_mark)

    def times(self, times: int) -> str:
        return self.phrases.times[min(times, len(self.phrases.times) - 1)].format(n=times)

    def phase(self, phase: Phase) -> str:
        if phase.is_even:
            doses = f"{self.dose(phase.doses[0], phase.unit)} {self.times(phase.times_per_day)}"
        else:
            listed = [self.dose(dose, phase.unit) for dose in phase.doses]
            doses = self.phrases.several.format(n=phase.times_per_day, x=", ".join(listed))
        return doses + self.lasting(phase.days)

    def lasting(self, days: int | None) -> str:
        if days is None:
            return ""
        return self.phrases.lasting_a_day if days == 1 else self.phrases.lasting.format(n=days)

    def ending(self, regimen: Regimen) -> str:
        is_open = regimen.total_days is None
        if regimen.then_stop:
            return self.phrases.stop_when_finished if is_open else self.phrases.stop
        return self.phrases.go_on if regimen.then_stop is False and not is_open else ""
