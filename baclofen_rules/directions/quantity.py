"""A quantity of tablets and refills at the end of a text: "#90", "disp 90 tablets, 2 refills", "mitte 84". Never a dose."""

import re
from decimal import Decimal

_TABLETS = r"(?:tab|tabs|tab\(s\)|tablets?|tablet\(s\)|tbl|tabl|tabletten|cp|cpr|comp)\.?"
_WITH_REFILLS = r"(?:(?:with\s)?[0-9]{1,2}\srefills?(?:\(s\))?|refills?(?:\(s\))?:?\s?[0-9]{1,2})"
_QUANTITY = re.compile(
    rf"(?:^|[\s,;.])(?:#\s?|(?:disp|dispense|supply|mitte|qty|quantity|menge)[:.]?\s?#?)(?P<count>[0-9]{{2,3}})(?:\s?{_TABLETS})?(?=[\s,;.]|$)"
    rf"(?:[\s,;.]*{_WITH_REFILLS})?[\s.;,]*$"
)
_REFILLS = re.compile(rf"[\s,;.]{_WITH_REFILLS}[\s.;,]*$")


def cut_quantity(plain: str) -> tuple[str, Decimal | None]:
    """Return normalised text without the quantity and the refills at its end, and the quantity in tablets, where one is named.

    A quantity below 10, of days, or with anything else behind it is left where it is, and asked about as part of the text.
    """
    match = _QUANTITY.search(plain)
    if match is not None:
        return plain[: match.start()], Decimal(match["count"])
    match = _REFILLS.search(plain)
    return (plain, None) if match is None else (plain[: match.start()], None)
