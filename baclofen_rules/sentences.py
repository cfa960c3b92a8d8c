"""A regimen as one plain English sentence, which the reader of directions reads back as the same regimen."""

from decimal import Decimal

from baclofen_rules.regimen import Phase, Regimen, Unit
from baclofen_rules.text import format_amount

_TIMES = ("", "once", "twice", "three times", "four times", "five times", "six times", "seven times", "eight times")
_UNITS = {Unit.MG: "mg", Unit.MICROGRAM: "micrograms"}


def say_directions(regimen: Regimen, *, as_needed: bool = False, max_mg_per_day: Decimal | None = None) -> str:
    """The regimen in words, phase after phase, with how it ends.

    ``as_needed`` and ``max_mg_per_day`` (milligrams) belong to a course of one phase. A regimen in milligrams, with doses
    of at most two decimals, at most twelve a day and two years long, reads back as itself; micrograms are said, but the
    reader asks about them.
    """
    if as_needed:
        return f"Take {_as_needed(regimen.phases[0], max_mg_per_day)}{_ending(regimen)}."
    phases = ", then ".join(_phase(phase) for phase in regimen.phases)
    return f"Take {phases}{_ending(regimen)}."


def say_dose(dose: Decimal, unit: Unit = Unit.MG) -> str:
    """ "10 mg", "2.5 mg", "50 micrograms"."""
    return f"{format_amount(dose)} {_UNITS[unit]}"


def say_times(times: int) -> str:
    """ "once", "twice", "three times", ..."""
    return _TIMES[times] if times < len(_TIMES) else f"{times} times"


def _phase(phase: Phase) -> str:
    return _doses(phase) + _lasting(phase.days)


def _doses(phase: Phase) -> str:
    if phase.is_even:
        return f"{say_dose(phase.doses[0], phase.unit)} {say_times(phase.times_per_day)} a day"
    doses = ", ".join(say_dose(dose, phase.unit) for dose in phase.doses)
    return f"{phase.times_per_day} doses a day ({doses})"


def _lasting(days: int | None) -> str:
    return "" if days is None else f" for {days} day{'' if days == 1 else 's'}"


def _as_needed(phase: Phase, most: Decimal | None) -> str:
    dose, times = say_dose(phase.doses[0], phase.unit), say_times(phase.times_per_day)
    limit = "" if most is None else f", at most {format_amount(most)} mg a day"
    return f"{dose} when needed, up to {times} a day{limit}{_lasting(phase.days)}"


def _ending(regimen: Regimen) -> str:
    open_end = regimen.total_days is None
    if regimen.then_stop:
        return " until finished, then stop" if open_end else ", then stop"
    if regimen.then_stop is False and not open_end:
        return ", then continue with a new prescription"
    return ""
