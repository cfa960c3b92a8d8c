"""Amounts as text, the same wherever an amount is printed, stored or sent."""

from decimal import Decimal, InvalidOperation


def format_amount(amount: Decimal | int) -> str:
    """Return an exact decimal without exponent and without zeros at the end.

    >>> format_amount(Decimal("15.00")), format_amount(Decimal("2.50")), format_amount(Decimal("1E+2"))
    ('15', '2.5', '100')
    """
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_amount(text: str) -> Decimal | None:
    """Return the amount that a text spells; None where it spells none, or one that is not finite."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
