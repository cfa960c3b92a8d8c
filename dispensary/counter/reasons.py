"""Reasons offered for each rule: five to seven FHIR mitigation codes, the most fitting first.

The suggestions follow the practice behind each rule: a dose above a limit is a matter for the prescriber, an early refill one
of travel or loss, an interaction one of watching the patient.
"""

from __future__ import annotations

from dispensary.models import Mitigation

_M = Mitigation
_DOSE = (_M.CONSULTED_PRESCRIBER, _M.PRESCRIBER_DECLINED, _M.INDICATION, _M.PRIOR_THERAPY)
_CHANGE = (_M.CONSULTED_PRESCRIBER, _M.ASSESSED_PATIENT, _M.MONITORING, _M.PRIOR_THERAPY)
_GAP = (_M.CONSULTED_PRESCRIBER, _M.ASSESSED_PATIENT, _M.OTHER_SOURCE, _M.EDUCATION)
_EMERGENCY = (_M.CONSULTED_PRESCRIBER, _M.OTHER_SOURCE, _M.PATIENT_EXPLANATION, _M.WEEKEND, _M.REPLACEMENT)
_EARLY = (_M.SUPPLY_APPROPRIATE, _M.REPLACEMENT, _M.VACATION, _M.WEEKEND, _M.LEAVE, _M.PATIENT_EXPLANATION)
_TWICE = (_M.NO_LONGER_ACTIVE, _M.CONSULTED_PRESCRIBER, _M.STOPPED_THERAPY)
_RELATION = (_M.CONSULTED_PRESCRIBER, _M.NO_LONGER_ACTIVE, _M.STOPPED_THERAPY)
_TOGETHER = (_M.THERAPY_APPROPRIATE, _M.ASSESSED_PATIENT, _M.CONSULTED_PRESCRIBER, _M.MONITORING, _M.EDUCATION)
_WATCH = (_M.CONSULTED_PRESCRIBER, _M.MONITORING, _M.ASSESSED_PATIENT, _M.THERAPY_APPROPRIATE)

FITTING: dict[str, tuple[Mitigation, ...]] = {
    "starting-dose": _DOSE,
    "daily-maximum": _DOSE,
    "ceiling": _DOSE,
    "single-dose": _DOSE,
    "single-dose-rise": _DOSE,
    "quantity": _DOSE,
    "dose-per-weight": _DOSE,
    "strength": _DOSE,
    "titration-step": _CHANGE,
    "titration-interval": _CHANGE,
    "taper-step": _CHANGE,
    "taper-interval": _CHANGE,
    "taper-duration": _CHANGE,
    "abrupt-stop": _CHANGE,
    "emergency-supply": _EMERGENCY,
    "restart": _GAP,
    "early-refill": _EARLY,
    "duplicate-supply": _TWICE,
    "supply-relation": _RELATION,
    "outdated-order": _RELATION,
    "intrathecal-pump": _TWICE,
    "pregnancy": _WATCH,
    "lactation": _WATCH,
    "renal": _WATCH,
    "age": _WATCH,
    "tablet-weight": _WATCH,
    "peptic-ulcer": _WATCH,
    "alcohol": _TOGETHER,
    "depressant-count": _TOGETHER,
    "opioid-breathing": _TOGETHER,
}
ALWAYS = (_M.EMERGENCY, _M.OTHER_ACTION)


def reasons_for(code: str) -> list[tuple[str, str]]:
    """Return value and words of the reasons offered for a rule, `Other action` last."""
    fitting = FITTING.get(code, _TOGETHER if code.startswith("interaction-") else _WATCH)
    return [(reason.value, str(reason.label)) for reason in (*fitting, *ALWAYS)]
