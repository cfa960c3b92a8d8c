"""Words that contradict a daily course of tablets by mouth, looked for in any text that could not be read.

The text arrives folded (``normal.fold``). A pattern may begin with a group ``but``: a longer phrase that holds the same word and
contradicts nothing ("do not stop suddenly", "reduce by 5 mg weekly"); what it matches is passed over.
"""

import re
from functools import cache
from typing import NamedTuple

from baclofen_rules.medicines import OwnMedicine, find_other_medicine

from .doubt import Doubt, Why

LONGEST_QUOTE = 60


class Contradiction(NamedTuple):
    """Words of one kind, and the question that they raise."""

    why: Why
    pattern: re.Pattern[str]
    ask: str


class Wording(NamedTuple):
    """The same for any medicine: marks stand for its name, its names and its brands of other forms."""

    why: Why
    pattern: str
    ask: str


def _wording(why: Why, ask: str, but: str, *patterns: str) -> Wording:
    return Wording(why, rf"\b(?P<but>{but})|(?:{'|'.join(patterns)})", ask)


_STOP = r"(?:stop\w*|discontinu\w*|ceas\w*|absetz\w*|abbrech\w*|arret\w*|suspend\w*|sospend\w*|interromp\w*|retir\w*)"
_NOT = (
    r"(?:not|don'?t|never|without|avoid|nicht|ohne|ne pas|sans|no|non|sin|senza)"
    r"(?:\s(?:to|be|just|ever|simply|suddenly|abruptly|einfach|plotzlich|ploetzlich|abrupt|brusquement|bruscamente)){0,2}"
)
_THEN = r"(?:then|and|until|till|dann|und|puis|et|jusqu'a|luego|y|hasta|poi|e|fino a)"
_DAYS = r"(?:days?|d|weeks?|wks?|fortnight|/7|/52|tage?n?|wochen?|jours?|semaines?|dias?|semanas?|giorni|settiman[ae])"
_OWN, _NAMES, _BRANDS = "@OWN", "@NAMES", "@BRANDS"
_MEDICINE = rf"(?:{_NAMES})\w*"
_MUST_NOT = r"(?:do not|don'?t|must not|mustn'?t|should not|shouldn'?t|may not|can ?not|can'?t|never|not to|no longer)"
_TAKEN = (
    r"(?:take|taken|taking|give|given|use|used|swallow\w*|administer\w*|dispens\w*|suppl\w+|hand(?:ed)? out|start\w*|restart\w*"
    r"|resum\w+|continu\w+|issue\w*)"
)
_ADVICE = (
    r"(?:more (?:than|often)|alcohol|any alcohol|with|within|together|at the same time|tools|any tools|machin\w+|heavy|on an empty"
    r"|a double|double|two doses|extra|other|any other|if|indigestion|antacids?|driving|driv\w+)"
)
_CHANGE = (
    r"(?:increas\w*|reduc\w*|decreas\w*|rais\w*|lower\w*|taper\w*|titrat\w*|wean\w*|step\w*|cut|drop|go|steiger\w*|erhoh\w*|senk\w*"
    r"|reduzier\w*|augment\w*|diminu\w*|redui\w*|aument\w*|baj\w*|subir|ridu\w*)"
)
_NUMBER = r"(?:[0-9]{1,3}|two|three|four|five|six|seven|ten|fourteen|zwei|drei|deux|trois|dos|tres|due|tre)"
_INTERVAL = (
    rf"(?:(?:every|each|per|alle|tous les|toutes les|cada|ogni|jede[nr]?)\s(?:(?:{_NUMBER}|other|second|third|2nd|3rd)\.?\s(?:to\s[0-9]\s)?)?"
    r"(?:days?|weeks?|tage?|wochen?|jours|semaines?|dias|semanas?|giorni|settiman[ae])|weekly|fortnightly|a week|chaque semaine"
    r"|wo(?:e)?chentlich)"
)
_BUSINESS = r"(?:review\w*|dispens\w*|suppl\w+|collect\w*|pick ?up|issu\w+|instal\w*|check\w*|see|seen|monitor\w*|bloods?|prescri\w+|script|blister\w*|pack\w*|dosette|trays?)"
_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_SHORT_DAY = r"(?:mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun)(?:day|nesday|urday)?s?"

_WORDINGS = (
    _wording(
        Why.FORBIDS,
        f"This forbids something: is {_OWN} to be taken, what dose, and when?",
        rf"{_NOT}\s{_STOP}"
        rf"|{_THEN}\s(?:stop|stopping|off|discontinue|cease|absetzen|beenden|arret\w*|suspender|retirar|sospendere|interrompere)\b"
        rf"|{_DAYS}[.,;:]*\s(?:stop|discontinue|cease|absetzen|arret(?:er)?|suspender|sospendere)(?=[\s.,;]*$)"
        rf"|(?:until|till)\s(?:it is\s)?stopped|stop\s(?:after|on|in)\s(?:[0-9]|an?\s|the\s[0-9]|day|week|{_NUMBER}\s)"
        r"|stop\w*\s(?:date|drinking|smoking|driving|alcohol|when|if)\b|arret progressif|retirar poco a poco|holds?\s(?:in|under|on) "
        r"|no tomar con alcohol|ne pas prendre avec (?:de l')?alcool|non (?:prendere|assumere) con (?:l')?alcol\w*",
        rf"\b{_STOP}\b.*",
        r"\b(?:withh[oe]ld\w*|omit(?:ted)?|paus(?:e|ed|ing|ieren|iert)|abgesetzt|contra-?indicated|cancel\w*)\b.*",
        rf"\bon hold\b|\bhold\b(?=\s(?:{_MEDICINE}|the|this|dose\w*|until|off|for|all|med\w*|tablets?)|[\s.,;]*$).*",
        rf"\b{_MUST_NOT}\s(?:be\s)?{_TAKEN}\b(?!\s{_ADVICE}\b).*",
        rf"\bno (?:more|further)\s(?:{_MEDICINE}|tablets?|doses?|suppl\w+)\b.*|\bavoid\s{_MEDICINE}\b.*|\bno\s{_MEDICINE}\b.*",
        r"\bnicht (?:mehr )?(?:ein)?(?:nehmen|zu nehmen)\b.*|\bne (?:pas|plus) prendre\b.*|\bne prenez (?:pas|plus)\b.*",
        r"\bno (?:tomar|tome|debe tomar)\b.*|\bdej(?:ar|e) de tomar\b.*|\bparar\b.*|\bnon (?:prendere|assumere|prenda)\b.*",
    ),
    _wording(
        Why.ROUTE,
        "This is not a medicine by mouth: which product is meant?",
        r"proton pump\w*|(?:no|without) (?:a )?pump|spinal cord|iv tab\w*",
        r"\bintra-?\s?th?[ei]c\w*(?:\s(?:pump|infusion|injection))?|\b(?:pump|pumpe|pompe|pompa|bomba)\b|\binject\w*|\binjekt\w*|\binfus\w*|\binyec\w*|\biniezion\w*",
        r"\bintra-?(?:ven|musc)\w*|\bsub-?cut\w*|\bs/c\b|\bepidural\w*|\bspin(?:al|e)\b|\brectal\w*|\brektal\w*|\bper rectum\b|\brettale\b",
        r"\bsub-?lingual\w*|\bunder (?:the )?tongue\b|\bbuccal\w*|\btopical\w*|\bapply\b|\b(?:intra)?nasal\w*|\binhal\w*|\bvaginal\w*",
        r"\bgastrostomy\b|\bnasogastric\b|\bjejunostomy\b|\b(?:feeding|peg|ng|[gj]-?) ?tube\b|\bvia (?:the )?tube\b|\b(?:peg|pej|ng|ngt)\b|\bsonda?e?\b",
        r"\b(?:i\.v|i\.m|i\.t|s\.c|n\.g|p\.r)\.?(?![a-z])",
        r"(?:[0-9]\s?|\b(?:mgs?|mcg|ug|micrograms?|g|via|by|tab\w*)\s)(?:iv|im|it|sc|pr|sl|ng|peg)\b(?!\s(?:anschluss|wechsel|verlauf))",
    ),
    _wording(
        Why.FORM,
        "Which product is meant? Only tablets are read.",
        r"(?:[a-z0-9]{1,9}\s)?(?:tea|table)?spoon\w*\sof\s(?:yog\w+|jam|food|water|milk|apple\w*|honey|pudding)|to (?:a )?powder"
        r"|(?:with|in)\s(?:plenty of\s|some\s|a\s|cold\s|warm\s)?liquids?|drops?\s(?:to|by|down)",
        r"\bcapsul\w*|\bcaps?\b|\bcps\b|\bkps\b|\bkapsel\w*|\bgelules?\b",
        r"\bsolutions?\b|\bsuspensions?\b|\bsyrup\b|\belixir\b|\bliquid\b|\bjarabe\b|\bsciroppo\b|\bsirop\b|\bsaft\b|\blosung\b|\bloesung\b"
        r"|\bsolucion\b|\bsoluzione\b",
        r"(?:\b[a-z0-9]{1,9}\s)?\b(?:tea|table|dessert)?spoon(?:ful)?s?\b|(?:\b[a-z0-9]{1,9}\s?)?(?:\btsps?|tbsps?|cucharad\w*|cucchiai\w*|cuilleres?)\b|\bc a c\b",
        r"\bdrops\b|[0-9]\s?drops?\b|\bgtts?\b|\btropfen\b|\bgouttes\b|\bgotas\b|\bgocce\b",
        r"\bpatch\w*|\bpowder\b|\bgranul\w*|\bsachets?\b|\bbustin[ae]\b|\bbeutel\b|\bsupposit\w*|\bzapfchen\b|\bcream\b|\bointment\b|\bgel\b",
        r"\bampoules?\b|\bampullen?\b|\bvials?\b|\blozenges?\b|\beffervescent\b|\borodispersible\b",
        r"\b(?:modified|extended|slow|prolonged|sustained|controlled|delayed)[ -]release\b|\bretard\b|\blibera(?:cion|tion) prolong\w*",
        rf"\b(?:mgs?|{_MEDICINE}|tab\w*)\s(?:mr|er|xr|sr|xl|cr|la)\b",
        rf"\b(?:{_BRANDS})\b",
    ),
    _wording(
        Why.UNIT,
        "Tablets are measured in milligrams: which dose is meant?",
        r"[0-9]{1,9}\s?mls?\s(?:of\s)?(?:water|milk|juice|fluid)",
        r"(?:\b[0-9][0-9.,/-]{0,9}\s?|\b)(?:mcgs?|ugs?|microgram\w*|micro-?g\w*|mikrogramm\w*|mikro-?g|microgrammes?)\b",
        r"\b[0-9][0-9.,/-]{0,9}\s?(?:mls?|millilit\w*|cc|g|gms?|grams?|grammes?|gramm|units?|iu|ie|ui|mmol)\b",
        r"\b(?:mls?|millilit\w*)\b",
    ),
    _wording(
        Why.RHYTHM,
        "Not every day: on which days is it taken?",
        rf"{_CHANGE}(?:\s(?:the|each|daily|total|dose|slowly|gradually|up|down|it))*\s(?:(?:by|de|di|en|um|of)\s)?(?:[0-9][^.;]{{0,40}}?)??{_INTERVAL}"
        rf"|{_INTERVAL},?\s(?:{_CHANGE}|by\s[0-9]|um\s[0-9]|steps?|increments?)"
        rf"|{_BUSINESS}\s(?:\w+\s){{0,2}}{_INTERVAL}|{_INTERVAL}\s{_BUSINESS}"
        rf"|(?:start\w*|from|review\w*|clinic|appointment|collect\w*|seen?|until|due|ready)\s(?:\w+\s)?(?:on\s)?(?:next\s)?{_WEEKDAY}"
        rf"|(?:for|after|within|over|in|x)\sa\s(?:week|fortnight|month)|[0-9]\sa\sweek(?=\slater)",
        r"\balternat(?:e|ing|ely)\b(?:\s(?:days?|nights?|weeks?|mornings?|evenings?))?",
        r"\bevery\s(?:other|second|2nd|third|3rd|fourth|4th)\s(?!hour)\w+|\beach\s(?:second|other)\sday\b",
        r"\bq\.?\s?o\.?\s?d\b\.?|\be\.?\s?o\.?\s?d\b\.?|\bq\s?[2-9]\s?d\b|\bq\s?(?:36|48|72)\s?h\w*",
        rf"\bevery\s(?:{_NUMBER})\s?(?:days?|weeks?|nights?|d)\b|\b(?:every\s)?(?:36|48|60|72|96)[ -]?(?:hours?|hrs?|hourly|h)\b",
        rf"(?:\b(?:once|twice|thrice|(?:{_NUMBER}|one)(?:\s?x|\stimes)?)\s)?(?:\b(?:a|per|each|every)\s|/\s?)(?:week|fortnight|month)\b",
        r"(?:\b(?:once|twice|[0-9]{1,3} times|three times)\s)?\b(?:weekly|fortnightly|monthly)\b",
        rf"\b(?:on|each|every|except|not|only|on the)\s{_WEEKDAY}s?\b|\b{_WEEKDAY}s\b|\bweek-?(?:days?|ends?)\b",
        rf"\b{_SHORT_DAY}(?:\s?[,/&+-]\s?|\sand\s|\s){_SHORT_DAY}\b",
        rf"\b{_NUMBER}\sdays?\s(?:on|off|in|out)\b|\bdays?\soff\b|\b(?:odd|even|some|certain)\s(?:days|dates)\b",
        rf"(?:\b{_NUMBER}\s)?\bdays?\s?(?:a|per|each|/)\s?(?:week|month)\b",
        r"\bon and off\b|\bmiss(?:ing)? (?:a|one|every|alternate)\b.*",
        r"\balle (?:2|zwei|3|drei|4|vier) tage\b|\bjeden (?:2|zweiten|3|dritten|anderen)\.? tag\b|\bpro woche\b|\bwo(?:e)?chentlich\b"
        r"|\b(?:mon|diens|donners|frei|sams|sonn)tags?\b|\bmittwochs?\b",
        r"\b(?:1|un) j(?:our)?s?\s?(?:/|sur)\s?(?:2|deux)|\btous les (?:2|deux|3|trois) j(?:ours)?\b|\bjours (?:im)?pairs\b|\bpar semaine\b"
        r"|\bsauf (?:le|la|les)\b.*",
        r"\b(?:lunes|martes|miercoles|jueves|viernes|sabados?|domingos?|(?:lun|mar|mercre|jeu|vendre|same)dis?|dimanches?"
        r"|(?:lun|mar|mercol|giov|ven)edi|sabato|domenica)\b",
        r"\b[bt]\.?i\.?w\b\.?",
        r"\bcada (?:2|dos|3|tres|tercer|segundo|otro) dias?\b|\bdias alternos\b|\bun dia si\b.*|\b(?:por|a la) semana\b",
        r"\bgiorni alterni\b|\bun giorno si\b.*|\bogni (?:2|due|3|tre) giorni\b|\b(?:alla|a) settimana\b|[0-9]\s?/\s?sett\w*",
    ),
)


@cache
def contradictions_of(own: OwnMedicine) -> tuple[Contradiction, ...]:
    """Return the contradicting words for a medicine."""
    names = "|".join(sorted(name for name in own.names if name.isascii()))
    brands = "|".join(sorted({brand for form in own.forms for brand in form.brands} | own.relatives)) or "(?!)"
    return tuple(
        Contradiction(
            wording.why,
            re.compile(wording.pattern.replace(_NAMES, names).replace(_BRANDS, brands)),
            wording.ask.replace(_OWN, own.name),
        )
        for wording in _WORDINGS
    )


def find_contradiction(text: str, own: OwnMedicine) -> Doubt | None:
    """Return the doubt about the first contradicting words of folded ``text``, by the order of the kinds in ``Why``."""
    for contradiction in contradictions_of(own):
        for match in contradiction.pattern.finditer(text):
            if match["but"] is None:
                return Doubt(
                    match.start(), min(match.end(), match.start() + LONGEST_QUOTE), contradiction.ask, contradiction.why
                )
        if contradiction.why is Why.ROUTE and (place := find_other_medicine(text, own)) is not None:
            return Doubt(*place, f"Another medicine is named: is this text about {own.name}?", Why.OTHER_MEDICINE)
    return None
