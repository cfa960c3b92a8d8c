"""Numbers and doses as they are written."""

from decimal import Decimal

from .clauses import Dose, Number
from .cursor import COUNTED, PER_DAY, Cursor
from .doubt import Doubt
from .tokens import TO_BE_TAKEN, Kind, Token

ROMAN = frozenset({"i", "ii", "iii"})
"""Read in front of "tablets" only: "iv" is four, or a vein."""
TWICE = "Is the number written twice?"
AT_ONE_TIME = "That many tablets at one time, or that many doses a day?"
COUNTS_TIMES = (Kind.TIMES, Kind.X, Kind.HOURLY)


class AmountReader(Cursor):
    """Reads numbers and doses."""

    def number_is_often(self) -> bool:
        """Return whether the number here counts times a day: "3 (three) times", "8 hourly"."""
        at = self.at
        while self.tokens[at].kind in COUNTED or (self.tokens[at].kind is Kind.MARK and self.tokens[at].value in "()-"):
            at += 1
        return self.tokens[at].kind in COUNTS_TIMES

    def read_number(self) -> Number:
        """A number in figures or words, with a part behind it ("1 1/2", "one and a half"), or said twice ("3 (three)")."""
        first = self.take()
        value = Decimal(1) if first.kind is Kind.ARTICLE else Decimal(first.value)
        if first.text in ROMAN and self.kind() is not Kind.TABLET:
            self.at -= 1
            self.stuck()
        if first.kind is Kind.PART and self.is_mark("(") and self.kind(1) is Kind.PART and self.is_mark(")", 2):
            again = self.tokens[self.at + 1]
            if Decimal(again.value) == value and again.is_figure != first.is_figure:
                self.at += 3
        if first.kind is not Kind.NUMBER:
            return Number(value, first.start, self.end, is_figure=False)
        self._check_figure(first)
        part = self._read_part(first)
        if part is None and self.is_mark("(") and self.kind(1) is Kind.NUMBER and self.is_mark(")", 2):
            again = self.tokens[self.at + 1]
            self.at += 3
            if Decimal(again.value) != value or again.is_figure == first.is_figure:
                raise Doubt(first.start, self.end, f"{first.text} or {again.text}? The figure and the word differ.")
        return Number(value + (part or 0), first.start, self.end, is_figure=first.is_figure and part is None)

    def _read_part(self, whole: Token) -> Decimal | None:
        """The half in "1 1/2", "one and a half", "uno y medio"; None where there is none."""
        if self.kind() is Kind.AND and self.kind(1) is Kind.PART:
            self.take()
        elif self.kind() is Kind.PART:
            if self.token.before or whole.is_figure != self.token.is_figure:
                return None
            if not whole.text.isdigit() and whole.is_figure:
                self.stuck()
        elif self.kind() is not Kind.AND_PART:
            return None
        return Decimal(self.take().value)

    def is_one_and_part(self) -> bool:
        """Return whether "comprimido y medio" stands here: a unit in the singular, which has the value 1, and a part."""
        return self.kind() is Kind.TABLET and self.token.value == 1 and self.kind(1) is Kind.AND_PART

    def _check_figure(self, token: Token) -> None:
        """A doubt about a nought, a thousands comma or a lost point."""
        if not token.is_figure:
            return
        whole, _, rest = token.text.replace(",", ".").partition(".")
        if len(whole) > 1 and whole.startswith("0"):
            raise Doubt(token.start, token.end, f"Is {token.text} missing a decimal point?")
        if "," in token.text and not self.vocabulary.decimal_comma and int(whole) and int(whole) % 5 == 0:
            raise Doubt(token.start, token.end, f"{whole}.{rest}, or {whole} and then {rest}?")
        if not token.value:
            raise Doubt(token.start, token.end, "The number is nought. How much is meant?")

    def check_range(self, number: Number) -> None:
        """A doubt about "1-2" and "1 to 2"."""
        has_unit = self.kind(2) in (Kind.TABLET, Kind.MG)
        joins = self.is_mark("-") or self.kind() in (Kind.TO, Kind.UNTIL) or (self.kind() is Kind.UP_TO and has_unit)
        if not joins or self.kind(1) not in COUNTED:
            return
        other = self.tokens[self.at + 1]
        end = self.tokens[self.at + 2].end if has_unit else other.end
        low = self.plain[number.start : number.end]
        if low == "1" and other.text == "1/2":
            raise Doubt(number.start, end, "One and a half, or from one to a half?")
        raise Doubt(number.start, end, f"{low} or {other.text}: which is meant?")

    # ---- doses

    def read_dose(self) -> Dose:
        """A dose with its unit; without one it is bare."""
        number = self.read_number()
        if self.kind(2) not in (Kind.HOURS, Kind.OCLOCK):  # "1 à 14 heures" is one at that hour
            self.check_range(number)
        if self.kind() in (Kind.MG, Kind.TABLET):
            if "." in self.token.before:
                raise Doubt(number.start, self.token.end, "Is a figure missing after the point?")
            return self._read_mg(number) if self.kind() is Kind.MG else self._read_tablets(number)
        has_x = self.kind() is Kind.X
        following = 1 if has_x else 0
        if self.kind(following) is Kind.NUMBER and self.kind(following + 1) is Kind.MG:
            return self._read_tablets_of_mg(number, has_x=has_x)
        if has_x and self.kind(1) in COUNTED:
            raise Doubt(number.start, self.tokens[self.at + 1].end, AT_ONE_TIME)
        if self.kind() in COUNTED and not self.is_often_apart(number):
            raise Doubt(number.start, self.token.end, TWICE)
        return Dose(number.start, number.end, tablets=number.value, is_bare=True)

    def is_often_apart(self, number: Number) -> bool:
        """Return whether the number here is a frequency that cannot belong to the count before it: "one 3 times a day"."""
        is_one = number.value <= 1 and not number.is_figure
        apart = TO_BE_TAKEN in self.token.before or is_one or number.is_figure != self.token.is_figure
        return apart and self.number_is_often()

    def _read_mg(self, number: Number) -> Dose:
        self.take()
        if self.kind() is Kind.TABLET:
            raise Doubt(number.start, self.token.end, "How many of these tablets each time?")
        return self._also(Dose(number.start, self.end, mg=number.value))

    def _read_tablets(self, number: Number) -> Dose:
        """ "1 tablet", "1 tablet and a half", "2 tablets of 10 mg"."""
        unit = self.take()
        value = number.value
        if self.kind() is Kind.AND_PART and value == int(value):
            if unit.value == 1 and value > 1:
                raise Doubt(number.start, self.token.end, "How many tablets, with the part?")
            value += Decimal(self.take().value)
        elif (
            self.kind() is Kind.AND
            and self.kind(1) is Kind.PART
            and self.kind(2) not in (Kind.TABLET, Kind.SLOT, Kind.AT, Kind.TIME)
        ):
            self.take()
            value += Decimal(self.take().value)
        elif self._is_half_behind(number):
            value += Decimal(self.take().value)
        if self.kind() in (Kind.OF, Kind.BY) and self.kind(1) is Kind.NUMBER and self.kind(2) is Kind.MG:
            self.take()
            strength = self.read_number()
            self.take()
            return Dose(number.start, self.end, tablets=value, tablet_mg=strength.value)
        return self._also(Dose(number.start, self.end, tablets=value))

    def _is_half_behind(self, number: Number) -> bool:
        """Return whether "1/2" stands behind the unit of a whole count: "1 cp 1/2"."""
        is_part = self.vocabulary.part_behind_unit and self.kind() is Kind.PART and not self.token.before
        return is_part and number.value == int(number.value) and self.kind(1) not in (Kind.TABLET, Kind.DAY, Kind.DAYS)

    def _read_tablets_of_mg(self, number: Number, *, has_x: bool) -> Dose:
        """ "two 10 mg tablets", "2 x 10 mg tablets"."""
        following = 1 if has_x else 0
        if self.kind(following + 2) is Kind.TABLET and (has_x or not number.is_figure):
            self.at += following
            strength = self.read_number()
            self.at += 2
            return Dose(number.start, self.end, tablets=number.value, tablet_mg=strength.value)
        raise Doubt(number.start, self.tokens[self.at + following + 1].end, AT_ONE_TIME if has_x else TWICE)

    def _is_product(self, number: Number) -> bool:
        """Return whether "x 10 mg" or, behind a word, "10 mg tablets" follows."""
        at = 1 if self.kind() is Kind.X else 0
        is_of_mg = self.kind(at) is Kind.NUMBER and self.kind(at + 1) is Kind.MG
        return is_of_mg and (at == 1 or (not number.is_figure and self.kind(2) is Kind.TABLET))

    def _also(self, dose: Dose) -> Dose:
        """The same dose in the other unit: "1 tablet (10 mg total)", "10 mg = 1 tab", "20 mg (2 x 10 mg)"."""
        start = self.at
        in_brackets = self.is_mark("(")
        if not self.is_mark("(=") or self.kind(1) not in COUNTED:
            return dose
        self.take()
        number = self.read_number()
        if dose.mg is None and self.kind() is Kind.MG and self.kind(1) not in PER_DAY:
            self.take()
            self.skip(Kind.TOTAL)
            dose = dose._replace(mg=number.value)
        elif dose.mg is not None and self.skip(Kind.TABLET):
            dose = dose._replace(tablets=number.value)
        elif dose.mg == number.value and not number.is_figure and self.skip(Kind.MG):
            pass
        elif dose.mg is not None and self._is_product(number):
            self.skip(Kind.X)
            strength = self.read_number()
            self.take()
            self.skip(Kind.TABLET)
            dose = dose._replace(tablets=number.value, tablet_mg=strength.value)
        else:
            self.at = start
            return dose
        if in_brackets:
            if not self.is_mark(")"):
                self.stuck()
            self.take()
        return dose._replace(end=self.end)
